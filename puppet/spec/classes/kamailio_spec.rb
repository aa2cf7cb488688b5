# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::kamailio' do
  let(:params) { { config: 'puppet:///modules/kamscale/minimal.cfg' } }
  let(:local) { secret_content('/etc/kamailio/local.cfg') }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_class('kamscale::shared_memory').that_comes_before('Class[kamscale::kamailio::install]') }
  it { is_expected.to contain_class('kamscale::kamailio::install').that_comes_before('Class[kamscale::kamailio::config]') }
  it { is_expected.to contain_class('kamscale::kamailio::config').that_notifies('Class[kamscale::kamailio::service]') }
  it { is_expected.to contain_class('kamscale::kamailio::service') }
  it { is_expected.not_to contain_class('kamscale::kamailio::tls') }
  it { is_expected.not_to contain_class('kamscale::agent') }
  it { is_expected.to contain_exec('make /run/kamscale').with_creates('/run/kamscale').that_requires('File[/etc/tmpfiles.d/kamscale.conf]') }

  context 'with values of the role and of the site' do
    let(:params) do
      super().merge(defaults: { KS_PORT: 5060, WITH_TLS: true, WITH_X: true },
                    defines: { KS_PORT: 5070, WITH_X: false, KS_SECRET: sensitive('"x"') })
    end

    it 'lets the site have the last word, and leaves out what is false' do
      expect(local.lines.drop(1).join).to eq(%(#!define KS_PORT 5070\n#!define KS_SECRET "x"\n#!define WITH_TLS\n))
    end
  end

  context 'with a name that kamailio.cfg could not have' do
    let(:params) { super().merge(defines: { 'ks port' => 1 }) }

    it { is_expected.to compile.and_raise_error(%r{defines}) }
  end

  context 'with memory and another manager of it' do
    let(:params) { super().merge(shm_memory_mb: 512, pkg_memory_mb: 32, memory_manager: 'qm') }

    it { is_expected.to contain_file('/etc/default/kamailio').with_content(%r{^SHM_MEMORY=512\n(#.*\n)PKG_MEMORY="32 -x qm -X qm"$}) }
  end

  context 'with a certificate' do
    let(:params) { super().merge(tls: true, tls_certificate: 'CERTIFICATE', tls_key: sensitive('KEY')) }

    it { is_expected.to contain_class('kamscale::kamailio::tls') }
    it { is_expected.to contain_file('/etc/kamailio/tls/certificate.pem').with_content('CERTIFICATE') }
    it { expect(secret_content('/etc/kamailio/tls/key.pem')).to eq('KEY') }
    it { is_expected.not_to contain_exec('sign a certificate for Kamailio') }
  end

  context 'with a certificate without its key' do
    let(:params) { super().merge(tls: true, tls_certificate: 'CERTIFICATE') }

    it { is_expected.to compile.and_raise_error(%r{tls_certificate and tls_key belong together}) }
  end

  context 'with binaries from a server' do
    let(:pre_condition) { "class { 'kamscale': source => 'https://files.example.test/kamscale' }" }

    it { expect(catalogue.resource('File', '/usr/lib/x86_64-linux-gnu/kamailio/modules/kamscale.so')[:source]).to eq('https://files.example.test/kamscale/kamscale.so') }
  end
end
