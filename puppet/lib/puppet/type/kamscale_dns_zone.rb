# frozen_string_literal: true

require_relative '../../puppet_x/kamscale/dns_entry'
require_relative '../../puppet_x/kamscale/purge'

Puppet::Type.newtype(:kamscale_dns_zone) do
  @doc = <<~DOC
    A zone that is changed by RFC 2136: where its primary server is, with which key it is talked to, and whether
    records that are no longer declared are removed. It makes no zone; the server has it already, and lets the key
    transfer and update it.

    Every record that a `kamscale_dns_record` adds gets, in the same atomic update, a TXT record under
    `_kamscale.NAME` that says who added it (`owner`), for which `group`, and what (type and data). Only records with
    such a marker are ever purged: what others added stays, also under the same name, also if it was there first.

    The records of a zone are applied before it, so that what is new is there before what is old goes.

    @example
      kamscale_dns_zone { 'example.test':
        server   => '10.77.0.10',
        key_file => '/etc/bind/kamscale.key',
        purge    => true,
      }
  DOC

  newparam(:name, namevar: true) do
    desc 'The name of the zone.'
    validate { |value| PuppetX::Kamscale::DnsEntry.canonical_name(value) }
    munge { |value| value.downcase.chomp('.') }
  end

  newparam(:server) do
    desc 'Address of the primary server.'
    defaultto '127.0.0.1'
  end

  newparam(:port) do
    desc 'Its port.'
    defaultto 53
    munge { |value| Integer(value) }
  end

  newparam(:key_file) do
    desc 'A file with the TSIG key as `tsig-keygen` writes it.'
    validate { |value| raise ArgumentError, "key_file '#{value}' is not an absolute path" unless Puppet::Util.absolute_path?(value) }
  end

  newparam(:key_name) do
    desc 'Name of the TSIG key, where there is no file with it.'
    validate { |value| PuppetX::Kamscale::DnsEntry.canonical_name(value) }
  end

  newparam(:key_algorithm) do
    desc 'Algorithm of that key.'
    newvalues('hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512')
    defaultto 'hmac-sha256'
  end

  newparam(:key_secret) do
    desc 'The secret of that key in base64. Wants to be Sensitive.'
    # The value is not repeated in the message.
    validate { |value| raise ArgumentError, 'key_secret is not base64' unless value.match?(%r{\A[A-Za-z0-9+/]+=*\z}) }
  end

  newparam(:owner) do
    desc 'Who adds the records, as the markers have it. Two systems that change one zone need two names.'
    defaultto 'kamscale'
    validate { |value| raise ArgumentError, "owner '#{value}' is not one word" unless value.match?(%r{\A[\w.:/-]{1,63}\z}) }
  end

  newparam(:purge) do
    desc <<~DOC
      Whether records of this owner that are not declared are removed: `true`, `false`, or a list of groups, of which
      alone they are removed.
    DOC
    defaultto false
    munge { |value| PuppetX::Kamscale::Purge.groups(value) }
  end

  newparam(:timeout) do
    desc 'Seconds that the server may take for an answer.'
    defaultto 10
    munge { |value| Integer(value) }
  end

  autorequire(:kamscale_dns_record) { records.map(&:title) }
  autorequire(:file) { self[:key_file] }
  autorequire(:service) { ['bind9', 'named', 'knot'] }

  validate do
    next if self[:key_file]
    raise Puppet::Error, "#{ref}: key_file, or key_name and key_secret, are wanted" unless self[:key_name] && self[:key_secret]
  end

  # The declared records of this zone.
  def records
    catalog.resources.select { |resource| resource.type == :kamscale_dns_record && resource[:zone] == self[:name] }
  end

  # Reads the zone, so that a server that cannot be read fails this resource.
  def retrieve
    provider.contents
    super
  end

  def eval_generate
    return [] unless self[:purge]

    declared = records.map { |record| record.entry.key }
    provider.owned(self[:purge]).reject { |entry| declared.include?(entry.key) }.map do |entry|
      Puppet::Type.type(:kamscale_dns_record).new(name: "#{entry} (purged from #{self[:name]})", record: entry.name, type: entry.type,
                                                  data: entry.data, zone: self[:name], ensure: :absent, catalog: catalog)
    end
  rescue Puppet::Error
    [] # said by retrieve, which fails the resource
  end

  def set_sensitive_parameters(sensitive_parameters) # rubocop:disable Naming/AccessorMethodName
    parameter(:key_secret).sensitive = true if sensitive_parameters.include?(:key_secret)
    super(sensitive_parameters - [:key_secret])
  end
end
