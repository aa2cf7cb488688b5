# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::inventory::database' do
  let(:params) { { password: sensitive('secret'), sets: { 'ccp' => 1 } } }
  let(:pools) do
    "{ 'ccp' => { 'ccp1' => { 'address' => '10.77.1.51', 'uri' => 'sip:10.77.1.51:5060', 'state' => 'active', 'weight' => 50 },
                  'ccp2' => { 'address' => '10.77.1.52', 'uri' => 'sip:10.77.1.52:5060', 'state' => 'joining', 'weight' => 100 } },
       'conference' => { 'conf1' => { 'address' => '10.77.1.71', 'uri' => 'sip:10.77.1.71:5060', 'state' => 'active' } } }"
  end
  let(:pre_condition) { "class { 'kamscale::inventory': pools => #{pools} }" }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_kamscale_database('kamailio').with_purge(['ccp', 'conference']) }

  it 'lets in who uses the database, also while it boots, and nobody else' do
    is_expected.to contain_kamscale_database_grant('kamailio@10.77.1.51').with(database: 'kamailio', group: 'ccp', password: sensitive('secret'))
    is_expected.to contain_kamscale_database_grant('kamailio@10.77.1.52').with_privileges(['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
    is_expected.to have_kamscale_database_grant_resource_count(2)
  end

  it 'shows the pools that have a set to who reads dispatcher' do
    is_expected.to contain_kamscale_dispatcher_entry('ccp/ccp1').with(setid: 1, destination: 'sip:10.77.1.51:5060', flags: 0, attrs: 'weight=50;duid=ccp1')
    is_expected.to contain_kamscale_dispatcher_entry('ccp/ccp2').with_flags(4)
    is_expected.to have_kamscale_dispatcher_entry_resource_count(2)
  end

  context 'without an inventory' do
    let(:pools) { 'undef' }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to have_kamscale_database_resource_count(0) }
  end

  context 'with a host in two pools' do
    let(:params) { super().merge(grant_pools: ['ccp', 'conference']) }
    let(:pools) { "{ 'ccp' => { 'a' => { 'address' => '10.0.0.1', 'uri' => 'sip:a', 'state' => 'active' } }, 'conference' => { 'b' => { 'address' => '10.0.0.1', 'uri' => 'sip:a', 'state' => 'active' } } }" }

    it { is_expected.to contain_kamscale_database_grant('kamailio@10.0.0.1').with_group('ccp') }
  end

  context 'without a password' do
    let(:params) { {} }

    it { is_expected.to compile.and_raise_error(%r{members of ccp need a password}) }
  end
end
