# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::media' do
  let(:facts) do
    { 'networking' => { 'ip' => '10.77.1.71', 'network' => '10.77.0.0', 'netmask' => '255.255.0.0',
                        'hostname' => 'conference-0', 'fqdn' => 'conference-0.example.test' } }
  end

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_class('kamscale::media::asterisk') }

  context 'with another program' do
    let(:params) { { 'server' => 'freeswitch' } }

    it { is_expected.to compile.and_raise_error(%r{server.*expects.*'asterisk'}) }
  end

  context 'with ports that are no range' do
    let(:params) { { 'rtp_first' => 20_000, 'rtp_last' => 10_000 } }

    it { is_expected.to compile.and_raise_error(%r{rtp_first 20000 must be below rtp_last 10000}) }
  end

  context 'with a queue of nobody' do
    let(:params) { { 'queues' => { 'support' => { 'agents' => [] } } } }

    it { is_expected.to compile.and_raise_error(%r{agents}) }
  end
end
