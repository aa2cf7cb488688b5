# frozen_string_literal: true

Puppet::Type.newtype(:kamscale_dispatcher_entry) do
  @doc = <<~DOC
    A member of a pool as a row of Kamailio's standard table `dispatcher`, so that tools that read it see the pools that
    the agent makes. Kamscale itself does not read it. The server is that of the `kamscale_database` of that name, which
    must be in the same catalog.

    The row's description is `OWNER POOL/MEMBER`; other rows are not touched.

    @example
      kamscale_dispatcher_entry { 'ccp/ccp1':
        ensure      => present,
        database    => 'kamailio',
        setid       => 1,
        destination => 'sip:10.77.1.51:5060',
      }
  DOC

  ensurable do
    desc 'Whether the row is there.'
    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc '`POOL/MEMBER`.'
    validate { |value| raise ArgumentError, "'#{value}' is not POOL/MEMBER of at most 43 letters" unless value.length <= 43 && value.match?(%r{\A[\w.-]+/[\w.-]+\z}) }
  end

  newparam(:database) do
    desc 'The `kamscale_database` that it is in.'
  end

  newproperty(:setid) do
    desc 'The number of the set: one per pool.'
    validate { |value| raise ArgumentError, "setid '#{value}' is no number" unless value.to_s.match?(%r{\A\d{1,9}\z}) }
    munge { |value| Integer(value) }
  end

  newproperty(:destination) do
    desc 'Its SIP URI.'
    validate { |value| raise ArgumentError, "destination '#{value}' is no SIP URI" unless value.match?(%r{\Asips?:[^\s'"\\]{1,187}\z}) }
  end

  newproperty(:flags) do
    desc "Of dispatcher: 0 takes requests, 4 does not (a member that drains or joins)."
    defaultto 0
    munge { |value| Integer(value) }
  end

  newproperty(:priority) do
    desc 'Of dispatcher: the highest is used first.'
    defaultto 0
    munge { |value| Integer(value) }
  end

  newproperty(:attrs) do
    desc 'Of dispatcher, as `weight=50;duid=ccp1`.'
    defaultto ''
    validate { |value| raise ArgumentError, "attrs '#{value}' is longer than 128 letters or has quotation marks" unless value.match?(%r{\A[^'"\\[:cntrl:]]{0,128}\z}) }
  end

  autorequire(:service) { ['mariadb', 'mysql'] }
  autorequire(:file) { database_resource && database_resource[:defaults_file] }

  validate do
    raise Puppet::Error, "#{ref}: database is wanted" unless self[:database]
    next if self[:ensure] == :absent
    raise Puppet::Error, "#{ref}: setid and destination are wanted" unless self[:setid] && self[:destination]
  end

  def database_resource
    catalog && catalog.resource(:kamscale_database, self[:database])
  end

  # Found before anything is changed, with all others of its kind.
  def pre_run_check
    return if database_resource

    raise Puppet::Error, "Kamscale_database[#{self[:database]}] is not in the catalog: declare it with its socket"
  end
end
