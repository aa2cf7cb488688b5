# frozen_string_literal: true

require 'spec_helper'
require 'puppet'

# The conversation with the server is played here; a real one has it in spec/real/dns.sh.
describe 'kamscale_dns_zone and kamscale_dns_record' do
  let(:catalog) { Puppet::Resource::Catalog.new }
  let(:zone) { add(:kamscale_dns_zone, name: 'example.test', key_file: '/key', purge: purge) }
  let(:purge) { true }
  let(:transfer) do
    ["example.test.\t5\tIN\tSOA\tns.example.test. admin.example.test. 1 3600 600 86400 5",
     "ccp1.example.test.\t5\tIN\tA\t10.77.1.51",
     "_kamscale.ccp1.example.test.\t60\tIN\tTXT\t\"kamscale\" \"ccp\" \"A\" \"10.77.1.51\"",
     "conf1.example.test.\t5\tIN\tA\t10.77.1.71",
     "_kamscale.conf1.example.test.\t60\tIN\tTXT\t\"kamscale\" \"conference\" \"A\" \"10.77.1.71\"",
     "other.example.test.\t5\tIN\tA\t10.77.1.99",
     "_kamscale.other.example.test.\t60\tIN\tTXT\t\"somebody\" \"ccp\" \"A\" \"10.77.1.99\"",
     "www.example.test.\t5\tIN\tA\t192.0.2.80"]
  end
  let(:succeeded) { instance_double(Process::Status, success?: true) }
  let(:failed) { instance_double(Process::Status, success?: false) }

  def add(type, attributes)
    resource = Puppet::Type.type(type).new(attributes.merge(catalog: catalog, provider: :nsupdate))
    catalog.add_resource(resource)
    resource
  end

  def record(title, more = {})
    add(:kamscale_dns_record, { name: title, zone: 'example.test', group: 'ccp' }.merge(more))
  end

  before do
    # Wherever the programs are, or if they are nowhere.
    allow(Puppet::Type.type(:kamscale_dns_zone).provider(:nsupdate)).to receive(:command) { |name| "/usr/bin/#{name}" }
    allow(Open3).to receive(:capture3).with(anything, '/usr/bin/dig', any_args) { [transfer.join("\n"), '', succeeded] }
    zone
  end

  def updates
    said = []
    allow(Open3).to receive(:capture3).with(anything, '/usr/bin/nsupdate', any_args) do |*words|
      said << words.last[:stdin_data]
      ['', '', succeeded]
    end
    yield
    said
  end

  it 'adds a record and its marker in one update, unless an alias is there' do
    resource = record('ccp2.example.test A 10.77.1.52', ttl: 5)
    expect(resource.provider.exists?).to be false
    expect(updates { resource.provider.create }).to eq([<<~UPDATE])
      server 127.0.0.1 53
      zone example.test.
      prereq nxrrset ccp2.example.test. CNAME
      update add ccp2.example.test. 5 A 10.77.1.52
      update add _kamscale.ccp2.example.test. 60 TXT "kamscale" "ccp" "A" "10.77.1.52"
      send
    UPDATE
  end

  it 'removes both at once, and no marker of somebody else' do
    resource = record('ccp1.example.test A 10.77.1.51')
    expect(updates { resource.provider.destroy }.first).to include('update delete ccp1.example.test. A 10.77.1.51').and include('update delete _kamscale.ccp1')
    resource = record('other.example.test A 10.77.1.99')
    expect(updates { resource.provider.destroy }.first).not_to include('_kamscale')
  end

  it 'asks the server once for all records' do
    3.times { |number| record("x#{number}.example.test A 10.0.0.1").provider.exists? }
    expect(Open3).to have_received(:capture3).once
  end

  it 'purges what its owner added and nobody declares' do
    record('ccp1.example.test A 10.77.1.51')
    expect(zone.eval_generate.map { |resource| [resource.entry.to_s, resource[:ensure]] }).to eq([['conf1.example.test. A 10.77.1.71', :absent]])
  end

  context 'with groups' do
    let(:purge) { ['ccp', 'queue'] }

    it 'purges those only' do
      expect(zone.eval_generate.map { |resource| resource.entry.to_s }).to eq(['ccp1.example.test. A 10.77.1.51'])
    end
  end

  context 'without purge' do
    let(:purge) { false }

    it { expect(zone.eval_generate).to eq([]) }
  end

  context 'with a server that cannot be read' do
    before { allow(Open3).to receive(:capture3).and_return(['', 'connection refused', failed]) }

    it 'purges nothing, and fails' do
      expect(zone.eval_generate).to eq([])
      expect { zone.retrieve }.to raise_error(Puppet::Error, %r{the server does not answer})
    end
  end

  context 'with a transfer that was cut off' do
    let(:transfer) { super() + ['; Transfer failed.'] }

    it { expect { zone.retrieve }.to raise_error(Puppet::Error, %r{transfer of zone example\.test}) }
    it { expect(zone.eval_generate).to eq([]) }
  end

  it 'is applied after its records, so that what is new is there before what is old goes' do
    resource = record('ccp1.example.test A 10.77.1.51')
    expect(zone.autorequire(catalog).map { |edge| edge.source.ref }).to include(resource.ref)
  end

  it 'wants a key, and keeps its secret' do
    expect { add(:kamscale_dns_zone, name: 'x.test') }.to raise_error(Puppet::Error, %r{key_file, or key_name and key_secret, are wanted})
    expect { add(:kamscale_dns_zone, name: 'x.test', key_name: 'k', key_secret: 'not base64!') }.to raise_error(Puppet::Error) { |error|
      expect(error.message).not_to include('not base64!')
    }
  end

  it 'refuses a record outside of its zone, without data, or without a zone' do
    expect { record('www.other.test A 10.0.0.1') }.to raise_error(Puppet::Error, %r{is not in the zone example\.test})
    expect { record('something') }.to raise_error(Puppet::Error, %r{record, type and data are wanted})
    expect { record('x.example.test A 10.0.0.1', zone: nil) }.to raise_error(Puppet::Error)
    expect { record('x.nowhere.test A 10.0.0.1', zone: 'nowhere.test').pre_run_check }.to raise_error(Puppet::Error, %r{Kamscale_dns_zone\[nowhere\.test\] is not in the catalog})
  end
end
