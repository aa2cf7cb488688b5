# frozen_string_literal: true

require 'spec_helper'
require_relative '../../lib/puppet_x/kamscale/dns_entry'

describe PuppetX::Kamscale::DnsEntry do
  def entry(*words)
    described_class.new(*words)
  end

  [
    ['CCP1.example.test', 'A', ' 10.77.1.51 ', 'ccp1.example.test. A 10.77.1.51'],
    ['x.example.test.', 'AAAA', 'FD00:0:0::51', 'x.example.test. AAAA fd00::51'],
    ['_sip._udp.example.test', 'SRV', '010 50  5060 LB1.example.test', '_sip._udp.example.test. SRV 10 50 5060 lb1.example.test.'],
    ['example.test', 'NAPTR', '10 10 s "SIP+D2U" "" _sip._udp.example.test', 'example.test. NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.example.test.'],
    ['example.test', 'NAPTR', '10 10 "u" "E2U+sip" "!^.*$!sip:a\\\\1@b!" .', 'example.test. NAPTR 10 10 "u" "E2U+sip" "!^.*$!sip:a\\\\1@b!" .'],
    ['51.1.77.10.in-addr.arpa', 'PTR', 'CCP1.example.test', '51.1.77.10.in-addr.arpa. PTR ccp1.example.test.'],
    ['example.test', 'TXT', 'say "hi"', 'example.test. TXT "say \"hi\""'],
    ['example.test', 'TXT', '"a" "b c"', 'example.test. TXT "a" "b c"'],
    ['*.example.test', 'A', '10.0.0.1', '*.example.test. A 10.0.0.1'],
  ].each do |name, type, data, canonical|
    it "has one form for #{name} #{type} #{data}" do
      expect(entry(name, type, data).to_s).to eq(canonical)
    end
  end

  [
    ['ccp1..example.test', 'A', '10.0.0.1', %r{is no DNS name}],
    ["#{'a' * 64}.example.test", 'A', '10.0.0.1', %r{is no DNS name}],
    ["x.test\nupdate delete x.test", 'A', '10.0.0.1', %r{is no DNS name}],
    ['x.test', 'A', 'fd00::1', %r{is no address for a record A}],
    ['x.test', 'A', '10.0.0.0/8', %r{is no address}],
    ['x.test', 'A', '10.0.0', %r{is no address}],
    ['x.test', 'SRV', '10 50 lb1.example.test', %r{is no SRV record: priority, weight, port and target}],
    ['x.test', 'SRV', '10 50 70000 lb1.example.test', %r{above 65535}],
    ['x.test', 'NAPTR', '10 10 "s"', %r{is no NAPTR record}],
    ['x.test', 'TXT', "a\nupdate delete x.test", %r{control characters}],
    ['x.test', 'TXT', 'a' * 256, %r{longer than 255}],
    ['x.test', 'CNAME', 'y.test', %r{is not one of A, AAAA}],
  ].each do |name, type, data, reason|
    it "refuses #{type} #{data[0, 40].inspect} of #{name[0, 40].inspect}" do
      expect { entry(name, type, data) }.to raise_error(ArgumentError, reason)
    end
  end

  it 'reads its marker back as dig prints it, whatever the data' do
    [['x.test', 'TXT', 'say "hi" \\ there'], ['x.test', 'NAPTR', '10 10 "s" "SIP+D2U" "" y.test'], ['*.x.test', 'A', '10.0.0.1']].each do |words|
      line = entry(*words).marker('kamscale', 'ccp').sub(' 60 TXT', "\t60\tIN\tTXT")
      owner, group, marked = described_class.from_marker(line)
      expect([owner, group, marked.key]).to eq(['kamscale', 'ccp', entry(*words).key])
    end
  end

  it "takes others' texts for no marker" do
    expect(described_class.from_marker("_kamscale.x.test.\t60\tIN\tTXT\t\"by hand\"")).to be_nil
    expect(described_class.from_marker("x.test.\t60\tIN\tTXT\t\"kamscale\" \"ccp\" \"A\" \"10.0.0.1\"")).to be_nil
  end

  it 'passes over what it does not know in a zone' do
    expect(described_class.from_dig("x.test.\t5\tIN\tMX\t10 mail.x.test.")).to be_nil
    expect(described_class.from_dig("x.test.\t5\tIN\tA\t10.0.0.1").first.key).to eq(['x.test.', 'A', '10.0.0.1'])
  end
end
