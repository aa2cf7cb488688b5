# frozen_string_literal: true

require 'spec_helper'

# Titles of all records, or of those of one group.
def records(group = nil)
  found = catalogue.resources.select { |resource| resource.type == 'Kamscale_dns_record' && (group.nil? || resource[:group] == group) }
  found.map(&:title).sort
end

describe 'kamscale::inventory::dns' do
  let(:members) { {} }
  let(:pre_condition) { "class { 'kamscale::inventory': pools => #{members.empty? ? 'undef' : members.inspect.gsub('nil', 'undef')} }" }

  def member(last, state, more = {})
    { 'address' => "10.77.1.#{last}", 'port' => 5060, 'uri' => "sip:10.77.1.#{last}:5060", 'state' => state, 'weight' => 100 }.merge(more)
  end

  context 'without an inventory' do
    it { is_expected.to compile.with_all_deps }
    it { expect(records).to eq([]) }

    it 'purges nothing of any pool' do
      is_expected.to contain_kamscale_dns_zone('example.test').with(purge: ['kamscale::inventory::dns'], key_file: '/etc/bind/kamscale.key', server: '127.0.0.1')
    end
  end

  context 'with members in every state' do
    let(:members) do
      { 'ccp' => { 'ccp1' => member(51, 'active'), 'ccp2' => member(52, 'draining'), 'ccp3' => member(53, 'joining'), 'ccp4' => member(54, 'disabled') },
        'conference' => { 'Conf_1' => member(71, 'active') }, 'queue' => {} }
    end

    it { is_expected.to compile.with_all_deps }

    it 'has an address for all but who joins, and the service for who takes requests' do
      expect(records('ccp')).to eq(
        ['_sip._udp.ccp.example.test SRV 10 100 5060 ccp1.example.test',
         'ccp.example.test A 10.77.1.51',
         'ccp.example.test NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test',
         'ccp1.example.test A 10.77.1.51', 'ccp2.example.test A 10.77.1.52', 'ccp4.example.test A 10.77.1.54'],
      )
    end

    it 'makes of a name what DNS takes, and no service of a pool that is not one' do
      expect(records('conference')).to eq(['conf-1.example.test A 10.77.1.71'])
    end

    it 'purges only the pools that the inventory names, and what stands in Hiera' do
      is_expected.to contain_kamscale_dns_zone('example.test').with(purge: ['ccp', 'conference', 'queue', 'kamscale::inventory::dns'])
    end

    it 'is what a change of the inventory applies' do
      expect(catalogue.resource('Kamscale_dns_record', 'ccp1.example.test A 10.77.1.51').tags).to include('kamscale_inventory')
    end
  end

  context 'with members that have IPv6, weights, ports, or no address at all' do
    let(:params) { { services: ['ccp', 'queue'], service_transports: ['udp', 'tcp'] } }
    let(:members) do
      { 'ccp' => { 'ccp1' => member(51, 'active', 'address' => 'fd00::51', 'weight' => 30, 'port' => 5070) },
        'queue' => { 'q1' => member(91, 'active', 'address' => nil), 'q2' => member(92, 'active', 'address' => 'q2.example.org') } }
    end

    it do
      expect(records('ccp')).to eq(
        ['_sip._tcp.ccp.example.test SRV 10 30 5070 ccp1.example.test', '_sip._udp.ccp.example.test SRV 10 30 5070 ccp1.example.test',
         'ccp.example.test AAAA fd00::51',
         'ccp.example.test NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test', 'ccp.example.test NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.ccp.example.test',
         'ccp1.example.test AAAA fd00::51'],
      )
    end

    it { expect(records('queue').grep_v(%r{NAPTR})).to eq([]) }
  end

  context 'with load balancers and further records' do
    let(:params) { { balancers: { 'lb1' => '10.77.0.41' }, balancer_ports: { 'tls' => 5061, 'udp' => 5060 }, records: { 'db.example.test A 10.77.0.31' => { 'ttl' => 60 } } } }

    it do
      expect(records('kamscale::inventory::dns')).to eq(
        ['_sip._udp.example.test SRV 10 100 5060 lb1.example.test', '_sips._tcp.example.test SRV 10 100 5061 lb1.example.test', 'db.example.test A 10.77.0.31',
         'example.test NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.example.test', 'example.test NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.example.test',
         'lb1.example.test A 10.77.0.41'],
      )
    end

    it { is_expected.to contain_kamscale_dns_record('db.example.test A 10.77.0.31').with_ttl(60) }
  end

  context 'with a load balancer that is a member of a pool, too' do
    let(:members) { { 'lb' => { 'lb1' => member(41, 'active', 'address' => '10.77.0.41') } } }
    let(:params) { { balancers: { 'lb1' => '10.77.0.41', 'lb2' => '10.77.0.42' }, balancer_ports: { 'udp' => 5060 } } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_kamscale_dns_record('lb1.example.test A 10.77.0.41').with_group('kamscale::inventory::dns') }
    it { is_expected.to contain_kamscale_dns_record('lb2.example.test A 10.77.0.42').with_group('kamscale::inventory::dns') }
  end

  context 'with exported records as the truth' do
    let(:params) { { exported: true } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_kamscale_dns_zone('example.test').with_purge(true) }
    it { is_expected.to contain_kamscale_dns_record('ccp.example.test NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.ccp.example.test') }
  end

  context 'with hosts that are in several pools, or load balancers as well' do
    let(:params) { { balancers: { 'lb1' => '10.77.0.41' }, services: [] } }
    let(:members) do
      { 'voicemail' => { 'vm1' => member(101, 'active') }, 'ivr' => { 'vm1' => member(101, 'active') },
        'lb' => { 'lb1' => member(41, 'active', 'address' => '10.77.0.41') } }
    end

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_kamscale_dns_record('vm1.example.test A 10.77.1.101').with_group('voicemail') }
    it { is_expected.to contain_kamscale_dns_record('lb1.example.test A 10.77.0.41').with_group('kamscale::inventory::dns') }
  end
end
