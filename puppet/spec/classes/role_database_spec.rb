# frozen_string_literal: true

require 'spec_helper'

describe 'kamscale::role::database' do
  let(:config) { '/etc/mysql/mariadb.conf.d/90-kamscale.cnf' }

  context 'on the first node' do
    include_context 'with address', '10.77.0.21'

    it { is_expected.to compile.with_all_deps }
    it { is_expected.to contain_package('galera-4').that_comes_before("File[#{config}]") }
    it { is_expected.to contain_package('rsync') }
    it { is_expected.to contain_class('kamscale::converge').with_delay_s(0) }
    it { is_expected.to contain_package('mariadb-server') }
    it { is_expected.to contain_package('mariadb-client') }

    it 'is a node of the cluster' do
      is_expected.to contain_file(config)
        .with_content(%r{^wsrep_cluster_address = gcomm://10\.77\.0\.21,10\.77\.0\.22,10\.77\.0\.23$})
        .with_content(%r{^wsrep_node_name = db1$}).with_content(%r{^wsrep_sst_method = rsync$})
        .with_content(%r{^proxy-protocol-networks = 10\.77\.0\.31$})
    end

    it 'does not restart for a new configuration' do
      is_expected.not_to contain_file(config).that_notifies('Service[mariadb]')
    end

    it 'stops a server without a cluster before all else' do
      is_expected.to contain_exec('stop the server without a cluster')
        .that_requires("File[#{config}]").that_comes_before(['Exec[make a cluster]', 'Exec[a node of the cluster answers]'])
    end

    it 'makes a cluster only if it runs in none, has seen none, and nobody answers' do
      is_expected.to contain_exec('make a cluster').with(
        command: 'galera_new_cluster',
        unless: [%r{is-active}, %r{grastate\.dat}, %r{for node in 10\.77\.0\.22 10\.77\.0\.23;.*/4567}]
      ).that_comes_before('Exec[a node of the cluster answers]')
    end

    it { is_expected.to contain_exec('a node of the cluster answers').that_comes_before('Service[mariadb]') }
    it { is_expected.to contain_service('mariadb').with(ensure: 'running', enable: true) }

    it 'starts no Kamailio' do
      is_expected.to contain_package('kamailio-mysql-modules').that_comes_before('Service[kamailio]')
      is_expected.to contain_service('kamailio').with(ensure: 'stopped', enable: false)
    end

    it 'makes tables that are missing, the table of versions first' do
      is_expected.to contain_exec('make the database kamailio').that_requires('Service[mariadb]')
      is_expected.to contain_exec('make the tables of standard').that_requires('Exec[make the database kamailio]')
      is_expected.to contain_exec('make the tables of usrloc').that_requires('Exec[make the tables of standard]')
    end

    it 'makes its users by a file that only root reads' do
      is_expected.to contain_file('/etc/mysql/kamscale-users.sql').with(mode: '0600', show_diff: false).with_content(sensitive(<<~'SQL'))
        -- Managed by Puppet (class kamscale::database::schema).
        CREATE USER IF NOT EXISTS 'haproxy'@'10.77.0.31';
        CREATE USER IF NOT EXISTS 'kamailio'@'10.77.%' IDENTIFIED BY 'it\'s';
        ALTER USER 'kamailio'@'10.77.%' IDENTIFIED BY 'it\'s';
        GRANT ALL ON `kamailio`.* TO 'kamailio'@'10.77.%';
      SQL
      expect(catalogue.resource('Exec', 'make the users of the database')[:command]).not_to include(%(it's))
    end
  end

  context 'on another node' do
    include_context 'with address', '10.77.0.22'

    it { is_expected.to compile.with_all_deps }
    it { is_expected.not_to contain_exec('make a cluster') }
    it { is_expected.to contain_class('kamscale::converge').with_delay_s(10) }
    it { is_expected.not_to contain_exec('make the database kamailio') }
    it { is_expected.to contain_exec('a node of the cluster answers').with_command(%r{for node in 10\.77\.0\.21 10\.77\.0\.23;}) }
  end

  context 'on a host that is no node' do
    include_context 'with address', '10.77.0.99'

    it { is_expected.to compile.and_raise_error(%r{10\.77\.0\.99 is not among nodes}) }
  end
end
