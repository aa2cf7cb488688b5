# frozen_string_literal: true

require 'spec_helper'
require 'json'
require 'puppet'

# The agent is played here; a real one is in spec/real/members.sh.
describe 'kamscale_pool and kamscale_member' do
  let(:catalog) { Puppet::Resource::Catalog.new }
  let(:pool) { add(:kamscale_pool, name: 'lb', purge: true) }
  let(:members) do
    { 'lb1' => { 'uri' => 'sip:10.77.0.41', 'weight' => 50, 'capacity_calls' => 100, 'priority' => 0, 'origin' => 'command', 'state' => 'active' },
      'lb2' => { 'uri' => 'sip:10.77.0.42', 'origin' => 'command', 'state' => 'draining', 'leaving' => true },
      'lb3' => { 'uri' => 'sip:10.77.0.43', 'origin' => 'command', 'state' => 'draining' },
      'fixed' => { 'uri' => 'sip:10.77.0.40', 'origin' => 'config', 'state' => 'active' } }
  end

  def add(type, attributes)
    resource = Puppet::Type.type(type).new(attributes.merge(catalog: catalog, provider: :kamscale))
    catalog.add_resource(resource)
    resource
  end

  def member(title, more = {})
    add(:kamscale_member, { name: title, uri: 'sip:10.77.0.41' }.merge(more))
  end

  # What the agent was told, but for questions.
  def told
    @said.map { |words| words.drop(4) }.reject { |words| words.first == 'pool' }
  end

  before do
    @said = []
    # Wherever the programs are, or if they are nowhere.
    allow(Puppet::Type.type(:kamscale_pool).provider(:kamscale)).to receive(:command) { |name| "/usr/bin/#{name}" }
    allow(Open3).to receive(:capture3) do |_environment, *words|
      @said << words
      members.delete('lb1') if words.include?('--now')
      [JSON.generate('members' => members), '', instance_double(Process::Status, success?: true)]
    end
    pool
  end

  it 'adds a member with its values' do
    member('lb/lb9', weight: 70, capacity: 300).provider.create
    expect(told).to eq([['member', 'add', 'lb', 'lb9', 'sip:10.77.0.41', '--weight', '70', '--capacity', '300']])
  end

  it 'sets all changed values in one command' do
    provider = member('lb/lb1', weight: 70, priority: 3).provider
    provider.weight = 70
    provider.priority = 3
    provider.flush
    expect(told).to eq([['member', 'set', 'lb', 'lb1', '--weight', '70', '--priority', '3']])
  end

  it 'replaces a member with another URI' do
    provider = member('lb/lb1', uri: 'sip:10.77.0.51').provider
    provider.uri = 'sip:10.77.0.51'
    provider.flush
    expect(told).to eq([['member', 'remove', '--now', 'lb', 'lb1'], ['member', 'add', 'lb', 'lb1', 'sip:10.77.0.51']])
  end

  it 'takes one that leaves for absent, and has it back when it is wanted' do
    provider = member('lb/lb2', uri: 'sip:10.77.0.42').provider
    expect(provider.exists?).to be false
    provider.create
    expect(told).to eq([['member', 'resume', 'lb', 'lb2']])
  end

  it 'purges what was added by command and does not leave yet' do
    member('lb/lb1')
    expect(pool.eval_generate.map(&:ref)).to eq(['Kamscale_member[lb/lb3]'])
  end

  it 'purges nothing of an agent that does not answer, and says what it says' do
    allow(Open3).to receive(:capture3).and_return(['', "kamscale: the agent does not answer on unix:/run/x\n", instance_double(Process::Status, success?: false)])
    expect(pool.eval_generate).to eq([])
    expect { pool.retrieve }.to raise_error(Puppet::Error, 'pool lb: the agent does not answer on unix:/run/x')
  end

  it 'wants a pool in the catalog, and a URI' do
    expect { member('queue/q1').pre_run_check }.to raise_error(Puppet::Error, %r{Kamscale_pool\[queue\] is not in the catalog})
    expect { add(:kamscale_member, name: 'lb/lb8') }.to raise_error(Puppet::Error, %r{uri is wanted})
  end
end
