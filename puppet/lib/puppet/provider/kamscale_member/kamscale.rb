# frozen_string_literal: true

Puppet::Type.type(:kamscale_member).provide(:kamscale) do
  desc <<~DOC
    A member by the command line of this host's agent. It owns which commands a change takes; the conversation is the
    pool's.
  DOC

  commands kamscale: 'kamscale'

  def exists?
    !there.nil?
  end

  { uri: 'uri', weight: 'weight', capacity: 'capacity_calls', priority: 'priority' }.each do |property, key|
    define_method(property) { there[key] }
    define_method("#{property}=") { |_value| @changed = true }
  end

  def create
    return add unless pool.leaving?(resource.member)

    if pool.contents[resource.member]['uri'] == resource[:uri]
      pool.ask('member', 'resume', *which)
      set
    else
      replace
    end
  end

  def destroy
    pool.ask('member', 'remove', *which)
  end

  # All changed values in one command.
  def flush
    return unless @changed

    (there['uri'] == resource[:uri]) ? set : replace
  end

  private

  def pool
    resource.pool_resource.provider
  end

  def there
    pool.member(resource.member)
  end

  def which
    [resource.pool, resource.member]
  end

  def add
    pool.ask('member', 'add', *which, resource[:uri], *values)
  end

  def set
    pool.ask('member', 'set', *which, *values) unless values.empty?
  end

  def replace
    pool.replace(resource.member)
    add
  end

  def values
    [:weight, :capacity, :priority].flat_map do |property|
      value = resource.should(property)
      value.nil? ? [] : ["--#{property}", value.to_s]
    end
  end
end
