# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::inventory' do
  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_class('kamscale::inventory').with_pools(nil) }

  context 'with something else than an inventory' do
    let(:params) { { pools: { 'ccp' => { 'ccp1' => 'sip:10.77.1.51' } } } }

    it { is_expected.to compile.and_raise_error(%r{entry 'ccp1' expects a Kamscale::Inventory_member}) }
  end
end
