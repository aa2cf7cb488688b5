# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::database' do
  include_context 'with address', '10.77.0.21'

  let(:config) { '/etc/mysql/mariadb.conf.d/90-kamscale.cnf' }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_class('kamscale::database::node').that_comes_before('Class[kamscale::database::schema]') }
  it { is_expected.to contain_class('kamscale::database::schema') }
  it { is_expected.to contain_class('kamscale::database::contents') }

  context 'with options of the library and of the server' do
    let(:params) { { provider_options: { 'gcache.size' => '1G', 'evs.suspect_timeout' => 'PT5S' }, options: { 'slow_query_log' => 1 } } }

    it { is_expected.to contain_file(config).with_content(%r{^wsrep_provider_options = "gcache\.size=1G;evs\.suspect_timeout=PT5S"$}).with_content(%r{^slow_query_log = 1$}) }
  end

  context 'without proxies' do
    let(:params) { { proxies: {} } }

    it { is_expected.to contain_file(config).without_content(%r{proxy-protocol}) }
  end

  context 'on a host that is a CCP, too' do
    let(:pre_condition) { 'include kamscale::role::ccp' }

    it 'leaves its Kamailio alone' do
      is_expected.to compile.with_all_deps
      is_expected.to contain_service('kamailio').with_ensure('running')
    end
  end
end

describe 'kamscale::database_proxy' do
  let(:params) { { port: 3307, check_interval_ms: 1000, health_port: 8405, check_user: 'checker' } }

  it { is_expected.to compile.with_all_deps }

  it 'listens and checks as it is told' do
    is_expected.to contain_file('/etc/haproxy/haproxy.cfg').with_content(%r{bind 10\.77\.0\.10:3307$})
      .with_content(%r{default-server inter 1000 }).with_content(%r{bind 10\.77\.0\.10:8405$}).with_content(%r{tcp-check send checker$})
  end
end
