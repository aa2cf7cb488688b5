# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::converge' do
  let(:script) { '/usr/local/sbin/kamscale-converge' }

  it { is_expected.to compile.with_all_deps }

  it 'watches the file' do
    is_expected.to contain_file('/etc/systemd/system/kamscale-converge.path').with_content(%r{^PathChanged=/var/lib/kamscale/inventory\.json$})
      .that_notifies('Service[kamscale-converge.path]')
    is_expected.to contain_service('kamscale-converge.path').with(ensure: 'running', enable: true)
  end

  it 'never starts the run itself, which would run within a run' do
    is_expected.not_to contain_service('kamscale-converge.service')
  end

  it 'applies what follows from the inventory and nothing else' do
    is_expected.to contain_file(script).with_mode('0755')
      .with_content(%r{puppet apply --environment production --tags kamscale_inventory --detailed-exitcodes})
  end

  it { is_expected.to contain_file(script).without_content(%r{^sleep}) }

  context 'when others write to the same place' do
    let(:params) { { delay_s: 20 } }

    it { is_expected.to contain_file(script).with_content(%r{^sleep 20\ncp "\$INVENTORY"}) }
  end

  it 'looks again after each run and after a boot' do
    is_expected.to contain_file('/etc/systemd/system/kamscale-converge.service').with_content(%r{^OnSuccess=kamscale-converge-again\.service$})
    is_expected.to contain_service('kamscale-converge-again.service').with(ensure: nil, enable: true)
    is_expected.to contain_exec('the inventory has changed').that_requires('Service[kamscale-converge.path]')
  end

  it { is_expected.not_to contain_class('kamscale::inventory::follow') }

  context 'on a host without an agent' do
    let(:params) { { etcd: ['http://10.77.0.2:17009', 'http://10.77.0.3:17009'], etcd_options: { 'KAMSCALE_INSTANCES' => 'lb' } } }

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_service('kamscale-inventory').with(ensure: 'running').that_requires('File[/usr/bin/kamscale]').that_comes_before('Service[kamscale-converge.path]') }

    it do
      is_expected.to contain_file('/etc/kamscale/inventory.env').with(mode: '0640').that_notifies('Service[kamscale-inventory]')
        .with_content(<<~ENV)
          # Managed by Puppet (class kamscale::converge): where `kamscale inventory follow` finds the inventory.
          KAMSCALE_ETCD=http://10.77.0.2:17009,http://10.77.0.3:17009
          KAMSCALE_INSTANCES=lb
        ENV
    end
  end
end
