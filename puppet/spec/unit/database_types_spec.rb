# frozen_string_literal: true

require 'spec_helper'
require 'puppet'

# The server is played here; a real one is in spec/real/database.sh.
describe 'kamscale_database, kamscale_database_grant and kamscale_dispatcher_entry' do
  let(:catalog) { Puppet::Resource::Catalog.new }
  let(:database) { add(:kamscale_database, name: 'kamailio', purge: true) }
  let(:succeeded) { instance_double(Process::Status, success?: true) }
  let(:answers) do
    { %r{FROM mysql\.user} => "kamailio@10.77.1.51\t*OLD\nkamailio@10.77.1.52\t*OLD\nkamailio@localhost\t*THEIRS\n",
      %r{SCHEMA_PRIVILEGES} => "kamailio@10.77.1.51\tSELECT\nkamailio@10.77.1.51\tCREATE\n",
      %r{information_schema\.TABLES} => "1\n",
      %r{FROM kamscale_accounts} => "kamailio@10.77.1.51\tkamscale\tccp\nkamailio@10.77.1.52\tkamscale\tccp\nkamailio@10.77.1.9\tkamscale\tccp\n",
      %r{FROM dispatcher ORDER} => "by hand\t1\tsip:192.0.2.9\t0\t0\t\nkamscale ccp/ccp1\t1\tsip:10.77.1.51:5060\t0\t0\t\nsomebody ccp/ccp8\t1\tsip:10.77.1.8\t0\t0\t\n" }
  end

  def add(type, attributes)
    resource = Puppet::Type.type(type).new(attributes.merge(catalog: catalog, provider: :mysql))
    catalog.add_resource(resource)
    resource
  end

  def grant(title, more = {})
    add(:kamscale_database_grant, { name: title, database: 'kamailio', password: 'secret', group: 'ccp' }.merge(more))
  end

  before do
    @said = []
    # Wherever the programs are, or if they are nowhere.
    allow(Puppet::Type.type(:kamscale_database).provider(:mysql)).to receive(:command) { |name| "/usr/bin/#{name}" }
    allow(Open3).to receive(:capture3) do |*words|
      @said << words.last[:stdin_data]
      [answers.find { |question, _answer| question.match?(words.last[:stdin_data]) }&.last.to_s, '', succeeded]
    end
    database
  end

  it 'notes an account before it makes it, and never says its password' do
    grant('kamailio@10.77.1.53').provider.create
    statements = @said.last
    expect(statements.index('REPLACE INTO kamscale_accounts')).to be < statements.index("CREATE USER IF NOT EXISTS 'kamailio'@'10.77.1.53'")
    expect(statements).to include("IDENTIFIED BY PASSWORD '*14E65567ABDB5135D0CFD9A70B3032C179A49EE7'")
    expect(@said.join).not_to include('secret')
  end

  it 'gives what is missing and takes what is too much' do
    resource = grant('kamailio@10.77.1.51', privileges: ['select', 'UPDATE'])
    expect(resource.parameter(:privileges).insync?(['UPDATE', 'SELECT'])).to be true
    resource.provider.privileges = ['SELECT', 'UPDATE']
    expect(@said.last).to include("GRANT SELECT, UPDATE ON `kamailio`.* TO 'kamailio'@'10.77.1.51'").and include('REVOKE CREATE ON')
  end

  it 'purges what it noted and what its rows say, if it is there and nobody declares it' do
    grant('kamailio@10.77.1.52')
    expect(database.eval_generate.map(&:ref)).to eq(['Kamscale_database_grant[kamailio@10.77.1.51]', 'Kamscale_dispatcher_entry[ccp/ccp1]'])
  end

  it 'purges nothing of a database that cannot be read, and says why' do
    allow(Open3).to receive(:capture3).and_return(['', "ERROR 1047 (08S01) at line 1: WSREP has not yet prepared node\n", instance_double(Process::Status, success?: false)])
    expect(database.eval_generate).to eq([])
    expect { database.retrieve }.to raise_error(Puppet::Error, %r{this node is not part of the cluster})
  end

  it 'changes a row in one statement, and quotes what it writes' do
    resource = add(:kamscale_dispatcher_entry, name: 'ccp/ccp1', database: 'kamailio', setid: 1, destination: 'sip:10.77.1.51:5070', flags: 4)
    resource.provider.flags = 4
    resource.provider.destination = 'sip:10.77.1.51:5070'
    resource.provider.flush
    expect(@said.grep(%r{UPDATE dispatcher})).to eq(
      ["UPDATE dispatcher SET setid = 1, destination = x'#{'sip:10.77.1.51:5070'.unpack1('H*')}', flags = 4, priority = 0, attrs = '' " \
       "WHERE description = x'#{'kamscale ccp/ccp1'.unpack1('H*')}';\n"],
    )
  end

  it 'removes twins that another node added at the same time' do
    add(:kamscale_dispatcher_entry, name: 'ccp/ccp2', database: 'kamailio', setid: 1, destination: 'sip:10.77.1.52').provider.create
    expect(@said.last).to match(%r{INSERT INTO dispatcher.*;\nDELETE late FROM dispatcher late JOIN dispatcher early}m)
  end

  it 'refuses what it cannot compare, or what would not be one account' do
    expect { grant('kamailio@10.77.1.51', privileges: ['ALL']) }.to raise_error(Puppet::Error, %r{name each})
    expect { grant("x'@'%") }.to raise_error(Puppet::Error, %r{is not USER@ADDRESS})
    expect { grant('kamailio@10.77.1.51', password: nil) }.to raise_error(Puppet::Error)
  end
end
