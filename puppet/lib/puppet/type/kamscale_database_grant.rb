# frozen_string_literal: true

require 'digest'

Puppet::Type.newtype(:kamscale_database_grant) do
  @doc = <<~DOC
    An account of the database server for one address, and what it may do in Kamailio's database. The server is that of
    the `kamscale_database` of that name, which must be in the same catalog.

    An account that was there before it was declared is brought to this form, but is not ours: it is never purged.

    @example
      kamscale_database_grant { 'kamailio@10.77.1.51':
        ensure   => present,
        database => 'kamailio',
        password => Sensitive('secret'),
        group    => 'ccp',
      }
  DOC

  ensurable do
    desc 'Whether the account is there. Absent removes the whole account.'
    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc '`USER@ADDRESS`; the address as the server sees the client.'
    validate do |value|
      raise ArgumentError, "'#{value}' is not USER@ADDRESS" unless value.match?(%r{\A[\w.-]{1,80}@[\w.:%/-]{1,255}\z})
    end
  end

  newparam(:database) do
    desc 'The `kamscale_database` that it is for.'
  end

  newparam(:group) do
    desc 'What it was added for, for example a pool: the database can purge by groups.'
    defaultto 'default'
    validate { |value| raise ArgumentError, "group '#{value}' is not one word" unless value.match?(%r{\A[\w.:-]{1,64}\z}) }
  end

  newproperty(:password) do
    desc 'Its password. Wants to be Sensitive.'
    sensitive true if respond_to?(:sensitive)
    # Compared and sent as the server keeps it: the password itself is in no statement, and so in no log of the server.
    munge { |value| "*#{Digest::SHA1.hexdigest(Digest::SHA1.digest(value)).upcase}" }

    def is_to_s(_value) # rubocop:disable Naming/PredicateName
      '[old password]'
    end

    def should_to_s(_value)
      '[new password]'
    end
  end

  newproperty(:privileges, array_matching: :all) do
    desc 'What it may do in this database; what else it may do there is taken away.'
    defaultto ['SELECT', 'INSERT', 'UPDATE', 'DELETE']
    validate do |value|
      raise ArgumentError, "'#{value}' is no privilege that can be compared: name each" unless value.match?(%r{\A[A-Z]+( [A-Z]+)*\z}i) && !value.match?(%r{\AALL\b}i)
    end
    munge(&:upcase)

    def insync?(is)
      is.is_a?(Array) && is.sort == should.sort
    end
  end

  autorequire(:service) { ['mariadb', 'mysql'] }
  autorequire(:file) { database_resource && database_resource[:defaults_file] }

  validate do
    raise Puppet::Error, "#{ref}: database is wanted" unless self[:database]
    raise Puppet::Error, "#{ref}: password is wanted" unless self[:ensure] == :absent || self[:password]
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
