# frozen_string_literal: true

Puppet::Type.type(:kamscale_database_grant).provide(:mysql) do
  desc <<~DOC
    Accounts and their privileges in one database of the server on this host. It owns the statements; the conversation
    is the database's. An account is noted as ours before it is made: whatever happens between the two, none is left
    that nobody would remove. Several nodes of a cluster may run it at once.
  DOC

  commands mysql: 'mysql'

  def exists?
    !database.password(name).nil?
  end

  def password
    database.password(name)
  end

  def password=(hash)
    database.query("ALTER USER #{account} IDENTIFIED BY PASSWORD '#{hash}'")
  end

  def privileges
    database.privileges(name)
  end

  def privileges=(wanted)
    surplus = privileges - wanted
    statements = [grant(wanted)]
    statements << "REVOKE #{surplus.join(', ')} ON #{database.schema}.* FROM #{account}" unless surplus.empty?
    database.query(*statements)
  end

  def create
    database.query(make_accounts, note, "CREATE USER IF NOT EXISTS #{account} IDENTIFIED BY PASSWORD '#{resource[:password]}'",
                   grant(Array(resource.should(:privileges))))
  end

  def destroy
    user, _at, address = name.rpartition('@')
    database.query("DROP USER IF EXISTS #{account}", make_accounts,
                   "DELETE FROM #{accounts} WHERE user = #{database.quoted(user)} AND address = #{database.quoted(address)}")
  end

  private

  def database
    resource.database_resource.provider
  end

  def name
    resource[:name]
  end

  def account
    database.account(name)
  end

  def accounts
    database.accounts
  end

  def grant(privileges)
    "GRANT #{privileges.join(', ')} ON #{database.schema}.* TO #{account}"
  end

  # With a primary key: a cluster certifies changes by it.
  def make_accounts
    "CREATE TABLE IF NOT EXISTS #{accounts} (user VARCHAR(80) NOT NULL, address VARCHAR(255) NOT NULL, owner VARCHAR(20) NOT NULL, " \
      'pool VARCHAR(64) NOT NULL, PRIMARY KEY (user, address))'
  end

  def note
    user, _at, address = name.rpartition('@')
    values = [user, address, resource.database_resource[:owner], resource[:group]].map { |value| database.quoted(value) }
    "REPLACE INTO #{accounts} (user, address, owner, pool) VALUES (#{values.join(', ')})"
  end
end
