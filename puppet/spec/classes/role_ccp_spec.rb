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

  it 'asks the database by a proxy of its own, which knows who is away' do
    expect(local).to include('#!define KS_DB_URL "mysql://kamailio:secret@127.0.0.1:3306/kamailio"')
    is_expected.to contain_class('kamscale::haproxy').that_comes_before('Class[kamscale::kamailio]')
    is_expected.to contain_file('/etc/haproxy/haproxy.cfg')
      .with_content(%r{^    bind 127\.0\.0\.1:3306$})
      .with_content(%r{^    default-server check port 8404 inter 500 fastinter 250 fall 2 rise 2 on-marked-down shutdown-sessions$})
      .with_content(%r{^    server proxy1 10\.77\.0\.31:3306\n    server proxy2 10\.77\.0\.32:3306 backup\n\z})
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

    it { is_expected.not_to contain_class('kamscale::haproxy') }
    it { expect(local).to include('#!define KS_DB_URL "mysql://kamailio:secret@db/kamailio"') }
    it { expect(local).not_to include('WITH_DMQ') }
  end

  context 'with a password that a URL cannot hold' do
    let(:params) { { database_password: sensitive('a@b') } }

    it { is_expected.to compile.and_raise_error(%r{database_password}) }
  end
end
