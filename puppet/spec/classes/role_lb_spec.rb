# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::role::lb' do
  include_context 'with address', '10.77.0.41'

  let(:modules) { '/usr/lib/x86_64-linux-gnu/kamailio/modules' }

  it { is_expected.to compile.with_all_deps }

  describe 'Kamailio' do
    it { is_expected.to contain_package('kamailio').that_comes_before("File[#{modules}/kamscale.so]") }
    it { is_expected.to contain_package('kamailio-tls-modules') }
    it { is_expected.to contain_file("#{modules}/kamscale.so").with_source('/opt/kamscale/kamscale.so').that_notifies('Service[kamailio]') }
    it { is_expected.to contain_user('kamailio').with(groups: ['kamscale'], membership: 'minimum').that_notifies('Service[kamailio]') }
    it { is_expected.to contain_service('kamailio').with(ensure: 'running', enable: true) }

    it 'restarts for a new configuration, if Kamailio takes it' do
      is_expected.to contain_file('/etc/kamailio/kamailio.cfg')
        .with(source: 'puppet:///modules/kamscale/lb.cfg', links: 'follow').that_notifies('Service[kamailio]')
      is_expected.to contain_service('kamailio').with_restart(%r{kamailio -c -f /etc/kamailio/kamailio\.cfg && .*systemctl restart kamailio})
    end

    it 'starts with the memory manager that is fast' do
      is_expected.to contain_file('/etc/default/kamailio').with_content(%r{^PKG_MEMORY="16 -x fm -X fm"$}).that_notifies('Service[kamailio]')
    end

    it 'says what this host is' do
      is_expected.to contain_file('/etc/kamailio/local.cfg').with(mode: '0640', show_diff: false)
        .that_notifies('Service[kamailio]').with_content(sensitive(<<~'CFG'))
          # Managed by Puppet (kamscale::kamailio::defines): what kamailio.cfg takes for this host.
          #!define KS_ADDRESS 10.77.0.41
          #!define KS_CHILDREN 4
          #!define KS_DOMAIN "example.test"
          #!define KS_INSTANCE "lb"
          #!define KS_PORT 5060
          #!define KS_TLS_CONFIG "/etc/kamailio/tls.cfg"
          #!define KS_TLS_PORT 5061
          #!define WITH_TLS
        CFG
    end

    it 'signs itself a certificate, once' do
      is_expected.to contain_exec('sign a certificate for Kamailio').with(
        creates: '/etc/kamailio/tls/certificate.pem', umask: '0077', command: %r{ -addext subjectAltName=DNS:example\.test }
      )
      is_expected.to contain_file('/etc/kamailio/tls/key.pem').with(mode: '0640', group: 'kamailio', content: nil)
      is_expected.to contain_file('/etc/kamailio/tls/certificate.pem')
      is_expected.to contain_file('/etc/kamailio/tls')
      is_expected.to contain_file('/etc/kamailio/tls.cfg').with_content(%r{^certificate = /etc/kamailio/tls/certificate\.pem$}).that_notifies('Service[kamailio]')
    end
  end

  describe 'its agent' do
    it { is_expected.to contain_file('/usr/bin/kamscale-agent').with(mode: '0755', source: '/opt/kamscale/kamscale-agent').that_notifies('Service[kamscale-agent]') }
    it { is_expected.to contain_file('/usr/bin/kamscale').that_comes_before('File[/etc/kamscale/agent.toml]') }
    it { is_expected.to contain_file('/etc/systemd/system/kamscale-agent.service').that_notifies('Service[kamscale-agent]') }
    it { is_expected.to contain_service('kamscale-agent').with(ensure: 'running', enable: true) }
    it { is_expected.to contain_group('kamscale').that_comes_before('Exec[make /run/kamscale]') }
    it { is_expected.to contain_user('kamscale').with_gid('kamscale') }
    it { is_expected.to contain_file('/etc/tmpfiles.d/kamscale.conf') }
    it { is_expected.to contain_file('/etc/kamscale') }
    it { is_expected.to contain_file('/etc/openstack') }
    it { is_expected.to contain_file('/etc/kamscale/openstack.env').that_notifies('Service[kamscale-agent]') }

    it 'reads a new agent.toml without a restart, and only one that it takes' do
      is_expected.to contain_file('/etc/kamscale/agent.toml').with(
        content: %r{^\[agent\]\ninstance = "lb"$}, validate_cmd: '/usr/bin/kamscale check --config %', mode: '0640'
      )
      is_expected.not_to contain_file('/etc/kamscale/agent.toml').that_notifies('Service[kamscale-agent]')
      is_expected.to contain_exec('kamscale-agent reads agent.toml again')
        .with(command: %r{systemctl reload kamscale-agent}, refreshonly: true).that_subscribes_to('File[/etc/kamscale/agent.toml]')
    end
  end

  context 'with a key, a certificate and an rtpengine' do
    let(:params) { { topology_key: sensitive('a"b'), rtpengine: 'udp:10.77.0.5:2223', tls_port: 5071 } }

    it 'defines what belongs to them' do
      expect(secret_content('/etc/kamailio/local.cfg')).to include('#!define KS_TOPOH_KEY "a\"b"', '#!define WITH_RTPENGINE', '#!define KS_RTPENGINE "udp:10.77.0.5:2223"')
    end
  end

  context 'without TLS' do
    let(:params) { { tls: false } }

    it { is_expected.not_to contain_file('/etc/kamailio/tls.cfg') }
    it { expect(secret_content('/etc/kamailio/local.cfg')).not_to include('WITH_TLS') }
  end
end
