# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::role::dns' do
  context 'on the first server' do
    include_context 'with address', '10.77.0.10'

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_package('bind9').that_comes_before('File[/etc/bind/named.conf.local]') }
    it { is_expected.to contain_service('named').with(ensure: 'running', enable: true, restart: %r{systemctl reload named}) }

    it 'makes the zone once and never writes it again' do
      is_expected.to contain_file('/var/lib/bind/db.example.test').with(replace: false, owner: 'bind')
        .with_content(%r{^@\tIN NS\tdns2$}).with_content(%r{^dns2\tIN A\t10\.77\.0\.11$})
    end

    it 'lets only the key update and transfer it' do
      is_expected.to contain_file('/etc/bind/named.conf.local')
        .with_content(%r{type primary;})
        .with_content(%r{update-policy \{ grant kamscale zonesub ANY; \};})
        .with_content(%r{allow-transfer \{ key "kamscale"; \};})
        .with_content(%r{also-notify \{ 10\.77\.0\.11 key "kamscale"; \};})
    end

    it 'numbers the zone by the time, so that the others follow a primary that was made anew' do
      is_expected.to contain_file('/etc/bind/named.conf.local').with_content(%r{serial-update-method unixtime;})
    end

    it 'shows nobody the key' do
      is_expected.to contain_file('/etc/bind/kamscale.key').with(mode: '0640', group: 'bind', show_diff: false)
        .with_content(sensitive(<<~KEY))
          // Managed by Puppet (class kamscale::dns): who has this may change the zone.
          key "kamscale" {
          \talgorithm hmac-sha256;
          \tsecret "c2VjcmV0c2VjcmV0";
          };
        KEY
    end

    it 'answers for its zone only' do
      is_expected.to contain_file('/etc/bind/named.conf.options').with_content(%r{recursion no;})
        .with_content(%r{listen-on \{ 10\.77\.0\.10; 127\.0\.0\.1; \};})
    end
  end

  context 'on another server' do
    include_context 'with address', '10.77.0.11'

    it { is_expected.to compile.with_all_deps }
    it { is_expected.not_to contain_file('/var/lib/bind/db.example.test') }

    it 'follows the first' do
      is_expected.to contain_file('/etc/bind/named.conf.local')
        .with_content(%r{type secondary;}).with_content(%r{primaries \{ 10\.77\.0\.10 key "kamscale"; \};})
        .with_content(%r{/var/cache/bind/db\.example\.test})
    end
  end

  context 'on a host that is none of the servers' do
    include_context 'with address', '10.77.0.99'

    it { is_expected.to compile.and_raise_error(%r{10\.77\.0\.99 is not among servers}) }
  end
end
