# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::role::ccp' do
  include_context 'with address', '10.77.1.51'

  let(:local) { secret_content('/etc/kamailio/local.cfg') }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_package('kamailio-mysql-modules') }
  it { is_expected.to contain_package('kamailio-presence-modules') }
  it { is_expected.to contain_file('/etc/kamailio/kamailio.cfg').with_source('puppet:///modules/kamscale/ccp.cfg') }
  it { is_expected.not_to contain_file('/etc/kamailio/tls.cfg') }

  it 'asks both ways to the database' do
    expect(local).to include('#!define KS_DB_URL "mysql://kamailio:secret@10.77.0.31/kamailio"',
                             '#!define KS_DB_URL_2 "mysql://kamailio:secret@10.77.0.32/kamailio"')
  end

  it 'shares with the other CCPs' do
    expect(local).to include("#!define WITH_DMQ\n", '#!define KS_DMQ_PEERS "sip:ccp.example.test:5060"')
  end

  it 'is told apart, and tells what its host uses' do
    is_expected.to contain_file('/etc/kamscale/agent.toml').with_content(%r{^\[agent\]\ninstance = "ccp"\n\[host\]\npool = "ccp"$})
  end

  it 'has a number of its own' do
    expect(local).to include("#!define KS_SERVER_ID 307\n")
  end

  context 'with a secret of all CCPs' do
    let(:params) { { auth_secret: sensitive('0123456789abcdef0123456789abcdef'), dmq_network: '10.77.1.0/24' } }

    it { expect(local).to include(%(#!define KS_AUTH_SECRET "0123456789abcdef0123456789abcdef"\n), %(#!define KS_DMQ_NET "10.77.1.0/24"\n)) }
  end

  context 'with one database proxy and no sharing' do
    let(:params) { { database_hosts: ['db'], dmq: false } }

    it { expect(local).not_to match(%r{KS_DB_URL_2|WITH_DMQ}) }
  end

  context 'with a password that a URL cannot hold' do
    let(:params) { { database_password: sensitive('a@b') } }

    it { is_expected.to compile.and_raise_error(%r{database_password}) }
  end
end
