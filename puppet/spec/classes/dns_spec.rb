# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::dns' do
  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_package('bind9-dnsutils') }

  context 'with servers to ask about other zones' do
    let(:params) { { forwarders: ['192.0.2.53'], clients: ['10.77.0.0/16'] } }

    it 'answers for them, to its own hosts' do
      is_expected.to contain_file('/etc/bind/named.conf.options')
        .with_content(%r{recursion yes;\n\tallow-recursion \{ 10\.77\.0\.0/16; \};\n\tforwarders \{ 192\.0\.2\.53; \};})
    end
  end

  context 'with another zone and another key' do
    let(:params) { { zone: 'sip.example.org', key_name: 'other', key_algorithm: 'hmac-sha512', ttl_s: 60 } }

    it { is_expected.to contain_file('/var/lib/bind/db.sip.example.org').with_content(%r{^\$ORIGIN sip\.example\.org\.\n\$TTL 60\n@\tIN SOA\tdns1 hostmaster\.sip\.example\.org\. 1 60 10 604800 60$}) }
    it { is_expected.to contain_file('/etc/bind/named.conf.local').with_content(%r{zone "sip\.example\.org"}).with_content(%r{grant other zonesub}) }
    it { expect(secret_content('/etc/bind/kamscale.key')).to include('key "other"', 'hmac-sha512') }
  end

  context 'with a secret that no key has' do
    let(:params) { { key_secret: sensitive('not base64!') } }

    it { is_expected.to compile.and_raise_error(%r{key_secret}) }
  end
end
