# frozen_string_literal: true

require_relative '../../puppet_x/kamscale/purge'

Puppet::Type.newtype(:kamscale_pool) do
  @doc = <<~DOC
    A pool of this host's agent as far as its fixed members go: where the agent listens, and whether members that are no
    longer declared are removed. It makes no pool; that stands in agent.toml.

    Only members that were added by command are ever purged: what the plan made and what stands in agent.toml is not ours.
    The members of a pool are applied before it, so that what is new is there before what is old goes.

    @example
      kamscale_pool { 'lb': purge => true }
  DOC

  newparam(:name, namevar: true) do
    desc 'Its name in agent.toml.'
    validate { |value| raise ArgumentError, "'#{value}' is no name of a pool" unless value.match?(%r{\A[\w.-]+\z}) }
  end

  newparam(:socket) do
    desc 'Where the agent listens: `unix:/PATH`, or a loopback address with a port.'
    defaultto 'unix:/run/kamscale/agent.sock'
  end

  newparam(:purge) do
    desc 'Whether members that are not declared are removed: `true` or `false`.'
    defaultto false
    munge { |value| PuppetX::Kamscale::Purge.groups(value) }
  end

  autorequire(:kamscale_member) { members.map(&:title) }
  autorequire(:service) { 'kamscale-agent' }

  # The declared members of this pool.
  def members
    catalog.resources.select { |resource| resource.type == :kamscale_member && resource.pool == self[:name] }
  end

  # Asks the agent, so that one that does not answer fails this resource.
  def retrieve
    provider.contents
    super
  end

  def eval_generate
    return [] unless self[:purge] == true

    declared = members.map { |resource| resource[:name] }
    (provider.removable.map { |name| "#{self[:name]}/#{name}" } - declared).map do |name|
      Puppet::Type.type(:kamscale_member).new(name: name, ensure: :absent, catalog: catalog)
    end
  rescue Puppet::Error
    [] # said by retrieve, which fails the resource
  end
end
