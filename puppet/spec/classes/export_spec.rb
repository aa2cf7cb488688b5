# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::export' do
  let(:params) { { pool: 'ccp', member: 'CCP1', address: '10.77.1.51' } }

  def exported(type)
    exported_resources.call.resources.select { |resource| resource.type == type }.map(&:title).sort
  end

  it { is_expected.to compile.with_all_deps }

  it 'tells name servers of itself and of the service' do
    expect(exported('Kamscale_dns_record')).to eq(
      ['_sip._udp.ccp.example.test SRV 10 100 5060 ccp1.example.test', 'ccp.example.test A 10.77.1.51', 'ccp1.example.test A 10.77.1.51'],
    )
  end

  it 'tells proxies of itself' do
    expect(exported('Kamscale_member')).to eq(['ccp/CCP1'])
  end

  it 'makes nothing on its own host' do
    is_expected.not_to contain_kamscale_dns_record('ccp1.example.test A 10.77.1.51')
    is_expected.not_to contain_kamscale_member('ccp/CCP1')
  end

  context 'of a pool that is no service' do
    let(:params) { { pool: 'queue', member: 'q1', address: 'fd00::91' } }

    it { expect(exported('Kamscale_dns_record')).to eq(['q1.example.test AAAA fd00::91']) }
  end
end
