# frozen_string_literal: true

require 'spec_helper'

# By way of its public face: the class of a program is private.
describe 'kamscale::role::media' do
  let(:facts) do
    { 'networking' => { 'ip' => '10.77.1.71', 'network' => '10.77.0.0', 'netmask' => '255.255.0.0',
                        'hostname' => 'conference-0', 'fqdn' => 'conference-0.example.test' } }
  end
  let(:media) { '' }
  let(:pre_condition) { "class { 'kamscale::media': #{media} }" }

  def conf(name)
    "/etc/asterisk/#{name}.conf"
  end

  it { is_expected.to compile.with_all_deps }
  it { is_expected.to contain_package('asterisk').that_comes_before('User[asterisk]') }
  it { is_expected.to contain_user('asterisk').with(system: true, shell: '/usr/sbin/nologin') }
  it { is_expected.to contain_file('/var/spool/asterisk/voicemail').with(ensure: 'directory', owner: 'asterisk', mode: '0750') }

  it 'serves the core on its own address, and nobody else' do
    is_expected.to contain_file(conf('pjsip'))
      .with_content(%r{^bind = 10\.77\.1\.71:5060$}).with_content(%r{^match = 10\.77\.0\.0/255\.255\.0\.0$})
      .with_content(%r{^outbound_proxy = sip:ccp\.example\.test\\;lr\\;hide$})
      .with_content(%r{^endpoint_identifier_order = ip$})
  end

  it 'knows rooms, voicemail and echo without being told' do
    is_expected.to contain_file(conf('extensions'))
      .with_content(%r{^exten => _co\[n\]f-\.,1,Answer\(\)$}).with_content(%r{^exten => _vmmai\[n\]-\.,1,})
      .with_content(%r{^exten => echo,1,Answer\(\)$})
  end

  it 'loads what is listed, and no module by itself' do
    is_expected.to contain_file(conf('modules'))
      .with_content(%r{^autoload = no$}).with_content(%r{^load = app_confbridge\.so$}).with_content(%r{^load = codec_alaw\.so$})
      .without_content(%r{res_ari})
  end

  it 'has neither AMI nor ARI without passwords' do
    is_expected.to contain_file(conf('http')).with_content(%r{^enabled = false$})
    expect(secret_content(conf('manager'))).to match(%r{^enabled = no\nbindaddr = 127\.0\.0\.1\nport = 5038\n\z})
  end

  it 'takes a new configuration without touching a call, and stops when the last has ended' do
    is_expected.to contain_service('asterisk').with(ensure: 'running', enable: true, restart: '/usr/bin/systemctl reload asterisk')
      .that_subscribes_to("File[#{conf('extensions')}]").that_requires('File[/etc/systemd/system/asterisk.service.d/kamscale.conf]')
    is_expected.to contain_file('/etc/systemd/system/asterisk.service.d/kamscale.conf')
      .with_content(%r{^ExecStop=-/usr/sbin/asterisk -rx 'core stop gracefully'$}).with_content(%r{^TimeoutStopSec=28800$})
  end

  context 'with features of a site' do
    let(:media) do
      <<~PP
        queues    => { 'support' => { 'agents' => ['alice', 'bob'], 'ring_s' => 7, 'max_wait_s' => 60 } },
        mailboxes => { '1001' => { 'pin' => '1234', 'name' => 'User One', 'mail' => 'one@example.test' }, '1002' => { 'pin' => Sensitive('5678') } },
        ivrs      => { 'main' => { 'prompts' => ['press-1'], 'keys' => { '1' => 'queue-support' }, 'otherwise' => 'operator' } },
        codecs    => ['ulaw', 'gsm'],
      PP
    end

    it { is_expected.to compile.with_all_deps }

    it 'rings agents by way of the core' do
      is_expected.to contain_file(conf('queues'))
        .with_content(%r{^\[support\]\nstrategy = rrmemory\ntimeout = 7$}).with_content(%r{^member => Local/alice@agents/n,0,alice$})
      is_expected.to contain_file(conf('extensions'))
        .with_content(%r{^exten => queue-support,1,Answer\(\)\n same => n,Queue\(support,,,,60\)$})
        .with_content(%r{^exten => _\[A-Za-z0-9\+\]!,1,Dial\(PJSIP/core/sip:\$\{EXTEN\}@\$\{DOMAIN\}\)$})
    end

    it 'leads from a menu to where its keys say' do
      is_expected.to contain_file(conf('extensions'))
        .with_content(%r{^\[ivr-main\]\nexten => s,1,Set\(TIMEOUT\(response\)=10\)\n same => n,Background\(press-1\)$})
        .with_content(%r{^exten => 1,1,Dial\(PJSIP/core/sip:queue-support@\$\{DOMAIN\}\)$})
        .with_content(%r{^exten => t,1,Dial\(PJSIP/core/sip:operator@})
    end

    it 'shows nobody the PINs' do
      is_expected.to contain_file(conf('voicemail')).with(show_diff: false, mode: '0640')
      expect(secret_content(conf('voicemail'))).to end_with("[default]\n1001 => 1234,User One,one@example.test\n1002 => 5678,1002,\n")
    end

    it 'loads the codecs that are wanted, once' do
      is_expected.to contain_file(conf('modules')).with_content(%r{^load = codec_ulaw\.so\nload = codec_gsm\.so\nload = codec_resample})
    end
  end

  context 'with passwords' do
    let(:hiera_config) { File.expand_path('../media.hiera.yaml', __dir__) }

    it { is_expected.to contain_file(conf('http')).with_content(%r{^enabled = true\nbindaddr = 127\.0\.0\.1$}) }
    it { is_expected.to contain_file(conf('modules')).with_content(%r{^load = res_ari\.so$}) }
    it { is_expected.not_to contain_package('asterisk') }

    it 'shows nobody the passwords' do
      expect(secret_content(conf('manager'))).to match(%r{^enabled = yes$}).and match(%r{^\[kamscale\]\nsecret = manager-secret$})
      expect(secret_content(conf('ari'))).to match(%r{^enabled = yes$}).and match(%r{^password = ari-secret$})
    end
  end
end
