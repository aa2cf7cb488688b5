# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::quoted' do
  it { is_expected.to run.with_params('example.test').and_return('"example.test"') }
  it { is_expected.to run.with_params('a"b\\c').and_return('"a\\"b\\\\c"') }
  it { is_expected.to run.with_params(sensitive('x')).and_return(sensitive('"x"')) }
  it { is_expected.to run.with_params("a\nb").and_raise_error(ArgumentError) }
end

describe 'kamscale::number_of_address' do
  it { is_expected.to run.with_params('10.77.1.51').and_return(307) }
  it { is_expected.to run.with_params('10.77.255.255').and_return(65_535) }
  it { is_expected.to run.with_params('fd00::1').and_raise_error(ArgumentError) }
end
