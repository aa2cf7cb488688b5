# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale' do
  it { is_expected.to compile.with_all_deps }
  it { is_expected.to have_resource_count(0) }
  it { is_expected.to contain_class('kamscale').with(domain: 'example.test', source: '/opt/kamscale', address: '10.77.0.10') }

  context 'with a source that is no place' do
    let(:params) { { source: 'opt/kamscale' } }

    it { is_expected.to compile.and_raise_error(%r{source}) }
  end
end
