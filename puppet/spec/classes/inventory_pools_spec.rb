# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::inventory::pools' do
  let(:pre_condition) do
    "class { 'kamscale::inventory': pools => { 'ccp' => {
      'ccp1' => { 'uri' => 'sip:10.77.1.51:5060', 'state' => 'active', 'weight' => 50, 'capacity_calls' => 200 },
      'ccp2' => { 'uri' => 'sip:10.77.1.52:5060', 'state' => 'draining' } }, 'queue' => { 'q' => { 'uri' => 'sip:q', 'state' => 'active' } } } }"
  end

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to have_kamscale_pool_resource_count(0) }

  context 'with fixed members' do
    let(:params) { { fixed: { 'lb' => { 'lb1' => { 'uri' => 'sip:10.77.0.41', 'priority' => 2 } } } } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_kamscale_pool('lb').with_purge(true) }
    it { is_expected.to contain_kamscale_member('lb/lb1').with(uri: 'sip:10.77.0.41', priority: 2) }
    it { is_expected.not_to contain_class('kamscale::converge') }
  end

  context 'with a pool of the inventory' do
    let(:params) { { followed: ['ccp'] } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_kamscale_member('ccp/ccp1').with(uri: 'sip:10.77.1.51:5060', weight: 50, capacity: 200) }
    it { is_expected.to have_kamscale_member_resource_count(1) }
    it { is_expected.to contain_class('kamscale::converge') }
  end
end
