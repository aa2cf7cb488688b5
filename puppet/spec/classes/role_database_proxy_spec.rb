# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::role::database_proxy' do
  include_context 'with address', '10.77.0.31'

  let(:config) { '/etc/haproxy/haproxy.cfg' }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_package('haproxy').that_comes_before("File[#{config}]") }
  it { is_expected.to contain_file(config).with(validate_cmd: %r{haproxy -c}).that_notifies('Service[haproxy]') }
  it { is_expected.to contain_service('haproxy').with(ensure: 'running', enable: true, restart: %r{systemctl reload}) }

  it 'asks a node whether it is ready, and does not only look whether it lets us in' do
    is_expected.to contain_file(config)
      .with_content(%r{^    tcp-check send-binary 29000001008200000000000121(00){23}\n    tcp-check send haproxy\n    tcp-check send-binary 0000$})
      .with_content(%r{^    tcp-check send-binary 1f00000003\n    tcp-check send "SHOW STATUS LIKE 'wsrep_ready'"$})
  end

  it 'says whether it has a node' do
    is_expected.to contain_file(config)
      .with_content(%r{^frontend health\n    mode http\n    bind 10\.77\.0\.31:8404\n})
      .with_content(%r{^    monitor fail if \{ nbsrv\(database\) lt 1 \}$})
  end

  it 'uses one node, and the others when it is away' do
    is_expected.to contain_file(config)
      .with_content(%r{^    bind 10\.77\.0\.31:3306$})
      .with_content(%r{send-proxy on-marked-down shutdown-sessions})
      .with_content(%r{^    server db1 10\.77\.0\.21:3306 check on-marked-up shutdown-backup-sessions$})
      .with_content(%r{^    server db2 10\.77\.0\.22:3306 check backup$})
      .with_content(%r{^    server db3 10\.77\.0\.23:3306 check backup$})
  end
end
