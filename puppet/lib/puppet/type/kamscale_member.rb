# frozen_string_literal: true

Puppet::Type.newtype(:kamscale_member) do
  @doc = <<~DOC
    A member of a pool that somebody else runs, added to this host's agent: a load balancer that a CCP trusts, a server of
    a pool that nobody scales. The agent publishes it to Kamailio at once; nothing is reloaded. It is that of the
    `kamscale_pool` of that name, which must be in the same catalog.

    A member that is taken out drains: it is gone when its last call has ended.

    @example
      kamscale_member { 'lb/lb1':
        ensure => present,
        uri    => 'sip:10.77.0.41:5060',
      }
  DOC

  ensurable do
    desc 'Whether it is in the pool. A member that only waits for its last call counts as absent.'
    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc '`POOL/MEMBER`.'
    validate { |value| raise ArgumentError, "'#{value}' is not POOL/MEMBER" unless value.match?(%r{\A[\w.-]+/[\w.:-]+\z}) }
  end

  newproperty(:uri) do
    desc 'Where requests go. A member with another URI is another server: the old one is taken out at once.'
    validate { |value| raise ArgumentError, "'#{value}' is no SIP URI" unless value.match?(%r{\Asips?:\S+\z}) }
  end

  newproperty(:weight) do
    desc 'Share of requests against its siblings. Default: as agent.toml has it.'
    munge { |value| Integer(value) }
  end

  newproperty(:capacity) do
    desc 'Calls that it may carry. Default: as agent.toml has it.'
    munge { |value| Integer(value) }
  end

  newproperty(:priority) do
    desc 'For the algorithm serial: the highest is used first. Default: as agent.toml has it.'
    munge { |value| Integer(value) }
  end

  autorequire(:service) { 'kamscale-agent' }

  validate do
    raise Puppet::Error, "#{ref}: uri is wanted" unless self[:ensure] == :absent || self[:uri]
  end

  def pool
    self[:name].split('/').first
  end

  def member
    self[:name].split('/').last
  end

  def pool_resource
    catalog && catalog.resource(:kamscale_pool, pool)
  end

  # Found before anything is changed, with all others of its kind.
  def pre_run_check
    raise Puppet::Error, "Kamscale_pool[#{pool}] is not in the catalog: declare it" unless pool_resource
  end
end
