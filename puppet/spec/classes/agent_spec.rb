# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::agent' do
  let(:toml) { catalogue.resource('File', '/etc/kamscale/agent.toml')[:content] }

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_class('kamscale::shared_memory').that_comes_before('Class[kamscale::agent::install]') }
  it { is_expected.to contain_class('kamscale::agent::install').that_comes_before('Class[kamscale::agent::config]') }
  it { is_expected.to contain_class('kamscale::agent::config').that_comes_before('Class[kamscale::agent::service]') }
  it { is_expected.to contain_class('kamscale::agent::service') }
  it { is_expected.to contain_class('kamscale::command') }
  it { is_expected.not_to contain_file('/etc/openstack/clouds.yaml') }
  it { is_expected.not_to contain_file('/etc/openstack/secure.yaml') }

  context 'with values of the role and of the site' do
    let(:params) do
      {
        defaults: { agent: { instance: 'lb', interval_s: 1.0 } },
        config: {
          agent: { interval_s: 0.5 },
          pools: { ccp: { max: 4, member: { capacity_calls: 200 }, signals: [{ kind: 'cpu', from: 'nodes', scale_out_load: 0.5 }] } }
        }
      }
    end

    it 'merges them, the site has the last word' do
      expect(toml).to include("[agent]\ninstance = \"lb\"\ninterval_s = 0.5\n")
    end

    it 'writes tables and arrays of tables' do
      expect(toml).to include("[pools.ccp]\nmax = 4\n", "[pools.ccp.member]\ncapacity_calls = 200\n",
                              "[[pools.ccp.signals]]\nfrom = \"nodes\"\nkind = \"cpu\"\nscale_out_load = 0.5\n")
    end
  end

  context 'with a value that TOML cannot have' do
    let(:params) { { config: { agent: { instance: :undef } } } }

    it { is_expected.to compile.and_raise_error(%r{config}) }
  end

  context 'with a cloud' do
    let(:params) do
      {
        clouds: { clouds: { ours: { region_name: 'one' } } },
        clouds_secret: sensitive('clouds' => { 'ours' => { 'auth' => { 'password' => 'secret' } } }),
        environment: { OS_CLOUD: 'ours' },
        environment_secret: sensitive('OS_PASSWORD' => 'a "b" $c')
      }
    end

    it 'starts anew with other credentials' do
      is_expected.to contain_file('/etc/openstack/clouds.yaml').with(mode: '0640', group: 'kamscale', content: %r{region_name: one})
        .that_notifies('Service[kamscale-agent]')
      is_expected.to contain_file('/etc/openstack/secure.yaml').with(mode: '0640', group: 'kamscale', show_diff: false)
        .that_notifies('Service[kamscale-agent]')
    end

    it 'shows nobody the password' do
      expect(secret_content('/etc/openstack/secure.yaml')).to include('password: secret')
    end

    it 'quotes what systemd would understand otherwise' do
      expect(secret_content('/etc/kamscale/openstack.env')).to include(%(OS_CLOUD="ours"\n), %(OS_PASSWORD="a \\"b\\" \\$c"\n))
    end
  end
end
