# frozen_string_literal: true

require_relative '../../puppet_x/kamscale/dns_entry'

Puppet::Type.newtype(:kamscale_dns_record) do
  @doc = <<~DOC
    One record of a zone: an address, one SRV target, one NAPTR rule. A set of several is several resources, so that
    each host can export its own. The zone's server and key are those of the `kamscale_dns_zone` of that name, which
    must be in the same catalog: an exported record carries no secret.

    @example The title says it all
      kamscale_dns_record { '_sip._udp.ccp.example.test SRV 10 100 5060 ccp1.example.test':
        ensure => present,
        zone   => 'example.test',
      }

    @example In full
      kamscale_dns_record { 'address of ccp1':
        ensure => present,
        zone   => 'example.test',
        record => 'ccp1.example.test',
        type   => 'A',
        data   => '10.77.1.51',
        ttl    => 5,
      }
  DOC

  ensurable do
    desc 'Whether the record is there.'
    defaultvalues
    defaultto :present
  end

  newparam(:name, namevar: true) do
    desc 'A title; if it reads `NAME TYPE DATA`, the parameters record, type and data are taken from it.'
  end

  newparam(:record) do
    desc "The record's name, absolute; with or without the final dot."
    defaultto { @resource.from_title(1) }
  end

  newparam(:type) do
    desc 'A, AAAA, NAPTR, PTR, SRV or TXT.'
    defaultto { @resource.from_title(2) }
  end

  newparam(:data) do
    desc 'Its data as zone files have them; names in it are absolute, with or without the final dot.'
    defaultto { @resource.from_title(3) }
  end

  newparam(:zone) do
    desc 'The `kamscale_dns_zone` that it belongs to.'
    munge { |value| value.downcase.chomp('.') }
  end

  newparam(:group) do
    desc 'What it was added for, for example a pool: the zone can purge by groups.'
    defaultto 'default'
    validate { |value| raise ArgumentError, "group '#{value}' is not one word" unless value.match?(%r{\A[\w.:/-]{1,63}\z}) }
  end

  newproperty(:ttl) do
    desc 'Seconds that others may remember it. One set of records has one TTL. Default: 60 for a new record, else as it is.'
    validate { |value| raise ArgumentError, "ttl '#{value}' is no number of seconds" unless value.to_s.match?(%r{\A\d{1,9}\z}) }
    munge { |value| Integer(value) }
  end

  autorequire(:service) { ['bind9', 'named', 'knot'] }
  autorequire(:file) { zone_resource && zone_resource[:key_file] }

  validate do
    raise Puppet::Error, "#{ref}: zone is wanted" unless self[:zone]
    raise Puppet::Error, "#{ref}: record, type and data are wanted, or a title 'NAME TYPE DATA'" unless self[:record] && self[:type] && self[:data]
    raise Puppet::Error, "#{ref}: #{entry.name} is not in the zone #{self[:zone]}" unless entry.in_zone?(self[:zone])
  end

  # A part of the title `NAME TYPE DATA`.
  def from_title(part)
    self[:name][%r{\A(\S+)\s+([A-Z]+)\s+(.+)\z}, part]
  end

  # The record as a value.
  def entry
    @entry ||= PuppetX::Kamscale::DnsEntry.new(self[:record], self[:type], self[:data])
  rescue ArgumentError => e
    raise Puppet::Error, "#{ref}: #{e.message}"
  end

  def zone_resource
    catalog && catalog.resource(:kamscale_dns_zone, self[:zone])
  end

  # Found before anything is changed, with all others of its kind.
  def pre_run_check
    return if zone_resource

    raise Puppet::Error, "Kamscale_dns_zone[#{self[:zone]}] is not in the catalog: declare it with the server and the key of that zone"
  end
end
