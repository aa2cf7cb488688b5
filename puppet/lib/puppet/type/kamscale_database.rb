# frozen_string_literal: true

require_relative '../../puppet_x/kamscale/purge'

Puppet::Type.newtype(:kamscale_database) do
  @doc = <<~DOC
    Kamailio's database as this host reaches it, and whether accounts and rows that are no longer declared are removed.
    It makes no database: that has its tables already.

    What `kamscale_database_grant` adds is noted in the table `kamscale_accounts` of that database, and rows of
    `kamscale_dispatcher_entry` say in their description whose they are. Only those are ever purged.

    The grants and entries of a database are applied before it, so that what is new is there before what is old goes.

    @example
      kamscale_database { 'kamailio': purge => true }
  DOC

  newparam(:name, namevar: true) do
    desc 'Its name.'
    validate { |value| raise ArgumentError, "'#{value}' is no name of a database" unless value.match?(%r{\A\w{1,64}\z}) }
  end

  newparam(:socket) do
    desc 'The socket of the server on this host.'
    defaultto '/run/mysqld/mysqld.sock'
    validate { |value| raise ArgumentError, "socket '#{value}' is not an absolute path" unless Puppet::Util.absolute_path?(value) }
  end

  newparam(:defaults_file) do
    desc "A file in the form of my.cnf with the account to use. Default: this system's account, root, by the socket."
    validate { |value| raise ArgumentError, "defaults_file '#{value}' is not an absolute path" unless Puppet::Util.absolute_path?(value) }
  end

  newparam(:owner) do
    desc 'Who adds accounts and rows. Two systems that change one database need two names.'
    defaultto 'kamscale'
    validate { |value| raise ArgumentError, "owner '#{value}' is not one word of at most 20 letters" unless value.match?(%r{\A[\w.:-]{1,20}\z}) }
  end

  newparam(:purge) do
    desc <<~DOC
      Whether what this owner added and what is not declared is removed: `true`, `false`, or a list of groups (pools),
      of which alone it is removed.
    DOC
    defaultto false
    munge { |value| PuppetX::Kamscale::Purge.groups(value) }
  end

  autorequire(:kamscale_database_grant) { declared(:kamscale_database_grant).map(&:title) }
  autorequire(:kamscale_dispatcher_entry) { declared(:kamscale_dispatcher_entry).map(&:title) }
  autorequire(:file) { self[:defaults_file] }
  autorequire(:service) { ['mariadb', 'mysql'] }

  # The declared resources of this database.
  def declared(type)
    catalog.resources.select { |resource| resource.type == type && resource[:database] == self[:name] }
  end

  # Reads it, so that a server that cannot be read fails this resource.
  def retrieve
    provider.contents
    super
  end

  def eval_generate
    return [] unless self[:purge]

    surplus(:kamscale_database_grant, provider.owned_accounts(self[:purge])) +
      surplus(:kamscale_dispatcher_entry, provider.owned_entries(self[:purge]))
  rescue Puppet::Error
    [] # said by retrieve, which fails the resource
  end

  private

  # Absent resources for what is owned and not declared.
  def surplus(type, names)
    (names - declared(type).map { |resource| resource[:name] }).map do |name|
      Puppet::Type.type(type).new(name: name, database: self[:name], ensure: :absent, catalog: catalog)
    end
  end
end
