# frozen_string_literal: true

Puppet::Type.type(:kamscale_dispatcher_entry).provide(:mysql) do
  desc <<~DOC
    Rows of Kamailio's table `dispatcher`. It owns the statements; the conversation is the database's.
    The table has no key but a running number: two nodes of a cluster may add the same row at the same time, so that
    each addition removes later twins.
  DOC

  commands mysql: 'mysql'

  columns = [:setid, :destination, :flags, :priority, :attrs].freeze
  define_method(:columns) { columns }

  def exists?
    !row.nil?
  end

  columns.each_with_index do |column, index|
    define_method(column) { [:destination, :attrs].include?(column) ? row[index] : Integer(row[index], 10) }
    define_method("#{column}=") { |_value| @changed = true }
  end

  def create
    database.query("INSERT INTO dispatcher (#{[*columns, :description].join(', ')}) VALUES (#{[*values, description].join(', ')})", remove_twins)
  end

  def destroy
    database.query("DELETE FROM dispatcher WHERE description = #{description}")
  end

  # All changed columns in one statement.
  def flush
    return unless @changed

    assignments = columns.zip(values).map { |column, value| "#{column} = #{value}" }
    database.query("UPDATE dispatcher SET #{assignments.join(', ')} WHERE description = #{description}")
  end

  private

  def database
    resource.database_resource.provider
  end

  def row
    database.entry(resource[:name])
  end

  def description
    database.quoted(database.description(resource[:name]))
  end

  def values
    columns.map do |column|
      value = resource.should(column)
      value.is_a?(Integer) ? value : database.quoted(value)
    end
  end

  def remove_twins
    "DELETE late FROM dispatcher late JOIN dispatcher early ON late.description = early.description AND late.id > early.id " \
      "WHERE late.description = #{description}"
  end
end
