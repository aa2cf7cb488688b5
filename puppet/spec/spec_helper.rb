# frozen_string_literal: true

# How classes are compiled in tests: offline, with the installed stdlib and the facts of a Debian 12 host.

require 'fileutils'
require 'rspec-puppet'

# Outside of the module: links to itself below it would make every copy of it endless.
FIXTURES = ENV.fetch('FIXTURES', File.expand_path('../../target/puppet/fixtures', __dir__))
LINKS = {
  'kamscale' => File.expand_path('..', __dir__),
  'stdlib' => ENV.fetch('STDLIB', '/usr/share/puppet/modules/stdlib')
}.freeze
FileUtils.mkdir_p(["#{FIXTURES}/modules", "#{FIXTURES}/manifests"])
LINKS.each { |name, path| FileUtils.ln_sf(path, "#{FIXTURES}/modules/#{name}") unless File.exist?("#{FIXTURES}/modules/#{name}") }

RSpec.configure do |c|
  c.setup_fixtures = false
  c.module_path = "#{FIXTURES}/modules"
  c.manifest_dir = "#{FIXTURES}/manifests"
  c.hiera_config = File.expand_path('hiera.yaml', __dir__)
  c.strict_variables = true
  c.default_facts = {
    'os' => {
      'family' => 'Debian', 'name' => 'Debian', 'hardware' => 'x86_64',
      'release' => { 'full' => '12.0', 'major' => '12' }
    },
    'networking' => { 'ip' => '10.77.0.10', 'hostname' => 'host', 'fqdn' => 'host.example.test' },
    'kernel' => 'Linux', 'osfamily' => 'Debian', 'service_provider' => 'systemd', 'path' => '/usr/bin:/bin'
  }
end

# The host's address, which says which of several servers it is.
shared_context 'with address' do |address|
  let(:facts) { { 'networking' => { 'ip' => address, 'hostname' => 'host', 'fqdn' => 'host.example.test' } } }
end

# What a file has in it that nobody may see: its content, which must be Sensitive.
def secret_content(path)
  file = catalogue.resource('File', path)
  expect(file.sensitive_parameters).to include(:content)
  file[:content]
end
