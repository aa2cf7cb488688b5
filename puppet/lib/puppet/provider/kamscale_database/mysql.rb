# frozen_string_literal: true

require 'open3'
require_relative '../../../puppet_x/kamscale/purge'

Puppet::Type.type(:kamscale_database).provide(:mysql) do
  desc <<~DOC
    Talks to the server on this host by the client mysql. It owns the conversation, its errors, and what is read once
    per run: accounts, privileges, and which of them and of dispatcher's rows are ours; it decides nothing about them.
  DOC

  commands mysql: 'mysql'

  # What is there, as it was at the first question of this run. A failure is remembered, too.
  def contents
    @contents ||= begin
      read
    rescue Puppet::Error => e
      e
    end
    raise @contents if @contents.is_a?(Puppet::Error)

    @contents
  end

  # The password of an account as the server keeps it; nil if there is no such account.
  def password(name)
    contents[:passwords][name]
  end

  # The table in which our accounts are noted.
  def accounts
    'kamscale_accounts'
  end

  # What an account may do in this database.
  def privileges(name)
    contents[:privileges].select { |account, _privilege| account == name }.map(&:last)
  end

  # The row of a member, nil if there is none.
  def entry(name)
    contents[:entries][description(name)]
  end

  def description(name)
    "#{resource[:owner]} #{name}"
  end

  # Names of the accounts that our owner added for these groups.
  def owned_accounts(groups)
    ours = contents[:owned].select { |_name, owner, group| owner == resource[:owner] && PuppetX::Kamscale::Purge.covers?(groups, group) }
    ours.map(&:first) & contents[:passwords].keys
  end

  # Names of the members whose rows are our owner's, of these pools.
  def owned_entries(groups)
    names = contents[:entries].keys.map { |text| text[%r{\A#{Regexp.escape(resource[:owner])} ([^/ ]+/[^/ ]+)\z}, 1] }.compact
    names.select { |name| PuppetX::Kamscale::Purge.covers?(groups, name.split('/').first) }
  end

  # Statements, one after the other; rows as arrays of strings.
  def query(*statements)
    output, errors, status = Open3.capture3({ 'LC_ALL' => 'C' }, *client, stdin_data: "#{statements.join(";\n")};\n")
    raise failure(errors) unless status.success?

    output.lines.map { |line| line.chomp.split("\t", -1) }
  end

  # A string in a statement, whatever is in it.
  def quoted(string)
    string.empty? ? "''" : "x'#{string.unpack1('H*')}'"
  end

  # 'user'@'address' of an account; its type lets no quotation marks through.
  def account(name)
    user, _at, address = name.rpartition('@')
    "'#{user}'@'#{address}'"
  end

  # In a GRANT `_` and `%` stand for any character.
  def schema
    "`#{resource[:name].gsub('_', '\_')}`"
  end

  private

  def client
    options = resource[:defaults_file] ? ["--defaults-file=#{resource[:defaults_file]}"] : []
    [command(:mysql), *options, '--protocol=socket', "--socket=#{resource[:socket]}", '--batch', '--skip-column-names', resource[:name]]
  end

  def read
    { passwords: query("SELECT CONCAT(User, '@', Host), authentication_string FROM mysql.user WHERE User <> ''").to_h,
      privileges: query("SELECT REPLACE(GRANTEE, '\\'', ''), PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES " \
                        "WHERE PRIVILEGE_TYPE <> 'USAGE' AND TABLE_SCHEMA = #{quoted(resource[:name].gsub('_', '\_'))}"),
      owned: owned,
      entries: entries }
  end

  def owned
    there?(accounts) ? query("SELECT CONCAT(user, '@', address), owner, pool FROM #{accounts}") : []
  end

  def entries
    return {} unless there?('dispatcher')

    rows = query('SELECT description, setid, destination, flags, priority, attrs FROM dispatcher ORDER BY id')
    rows.map { |description, *values| [description, values] }.reverse.to_h
  end

  def there?(table)
    !query("SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = #{quoted(resource[:name])} AND TABLE_NAME = '#{table}'").empty?
  end

  # By the server's number of the error. (A constant in a provider's block would be everybody's.)
  def remedies
    {
      '1044' => 'this account may not use that database: see defaults_file',
      '1045' => 'the server does not know this account or its password: see defaults_file',
      '1049' => 'there is no such database: create it and its tables first (kamdbctl create)',
      '1146' => "Kamailio's tables are not there: create them first (kamdbctl create)",
      '1047' => 'this node is not part of the cluster: see wsrep_cluster_status',
      '1142' => 'this account may not read accounts: see defaults_file',
      '1227' => 'this account may not manage accounts: see defaults_file',
      '2002' => 'no server listens on this socket: is it running?',
    }
  end

  def failure(errors)
    number = errors[%r{ERROR (\d+)}, 1]
    text = "database #{resource[:name]} on #{resource[:socket]}: #{errors.strip.lines.last.to_s.strip}"
    Puppet::Error.new(remedies.key?(number) ? "#{text}: #{remedies[number]}" : text)
  end
end
