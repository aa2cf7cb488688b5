# frozen_string_literal: true

require 'ipaddr'

# What Kamscale's types share without being types themselves.
module PuppetX; end
# See PuppetX.
module PuppetX::Kamscale; end

# One DNS record as a value: its canonical form, how `dig` prints it, and the TXT record that marks it as ours.
# It owns the spelling of names and data, so that two spellings of one record are equal; it talks to nobody.
class PuppetX::Kamscale::DnsEntry
  # The label before a name under which the markers of its records stand.
  MARKER_LABEL = '_kamscale'
  # Markers are of no interest to resolvers; all of a name must have one TTL.
  MARKER_TTL = 60
  TYPES = ['A', 'AAAA', 'NAPTR', 'PTR', 'SRV', 'TXT'].freeze
  # A marker carries the data as one string of a TXT record.
  MAX_DATA = 255

  attr_reader :name, :type, :data

  def initialize(name, type, data)
    raise ArgumentError, "record type '#{type}' is not one of #{TYPES.join(', ')}" unless TYPES.include?(type)

    @name = self.class.canonical_name(name)
    @type = type
    @data = canonical_data(data.to_s.strip)
    raise ArgumentError, "data of #{@name} #{type} is longer than #{MAX_DATA} characters" if @data.length > MAX_DATA
  end

  # Absolute, in small letters, with the final dot.
  def self.canonical_name(name)
    name = name.to_s.downcase.chomp('.')
    unless name.match?(%r{\A(?:\*\.)?[a-z0-9_]([a-z0-9_./-]*[a-z0-9_])?\z}) && !name.include?('..') && name.split('.').all? { |label| label.length <= 63 }
      raise ArgumentError, "'#{name}' is no DNS name"
    end

    "#{name}."
  end

  # The strings of a TXT or NAPTR record: quoted ones without their quotes, others as they are.
  def self.strings(text)
    text.scan(%r{"((?:[^"\\]|\\.)*)"|(\S+)}).map { |quoted, plain| quoted ? quoted.gsub(%r{\\(.)}, '\1') : plain }
  end

  def self.quoted(string)
    "\"#{string.gsub(%r{["\\]}) { |character| "\\#{character}" }}\""
  end

  # A line of `dig` as [entry, ttl]; nil for types that are none of our business.
  def self.from_dig(line)
    name, ttl, _class, type, data = line.split(%r{\s+}, 5)
    return nil unless TYPES.include?(type)

    [new(name, type, data), Integer(ttl, 10)]
  rescue ArgumentError
    nil # a name or data that none of our records can have
  end

  def key
    [name, type, data]
  end

  def to_s
    key.join(' ')
  end

  # Whether the name lies in the zone.
  def in_zone?(zone)
    zone = self.class.canonical_name(zone)
    name == zone || name.end_with?(".#{zone}")
  end

  # The TXT record which says that `owner` added this record for `group`.
  def marker(owner, group)
    strings = [owner, group, type, data].map { |string| self.class.quoted(string) }
    "#{MARKER_LABEL}.#{name} #{MARKER_TTL} TXT #{strings.join(' ')}"
  end

  # What a line of `dig` marks, as [owner, group, entry]; nil if it is no marker.
  def self.from_marker(line)
    name, _ttl, _class, type, data = line.split(%r{\s+}, 5)
    return nil unless type == 'TXT' && name.downcase.start_with?("#{MARKER_LABEL}.")

    owner, group, marked_type, marked_data = strings(data)
    [owner, group, new(name[(MARKER_LABEL.length + 1)..-1], marked_type, marked_data)]
  rescue ArgumentError
    nil # somebody else's TXT record under that name
  end

  private

  def canonical_data(data)
    raise ArgumentError, "data of #{name} #{type} contains control characters" if data.match?(%r{[[:cntrl:]]})

    case type
    when 'A', 'AAAA' then address(data)
    when 'PTR' then self.class.canonical_name(data)
    when 'SRV' then service(data)
    when 'NAPTR' then pointer(data)
    when 'TXT' then text(data)
    end
  end

  def address(data)
    address = IPAddr.new(data)
    raise ArgumentError, "'#{data}' is no address for a record #{type}" unless (type == 'A') == address.ipv4? && !data.include?('/')

    address.to_s
  rescue IPAddr::Error
    raise ArgumentError, "'#{data}' is no address for a record #{type}"
  end

  def service(data)
    match = data.match(%r{\A(\d{1,5})\s+(\d{1,5})\s+(\d{1,5})\s+(\S+)\z})
    raise ArgumentError, "'#{data}' is no SRV record: priority, weight, port and target are wanted" unless match

    numbers = match[1..3].map { |number| Integer(number, 10) }
    raise ArgumentError, "'#{data}' has a number above 65535" if numbers.any? { |number| number > 65_535 }

    [*numbers, self.class.canonical_name(match[4])].join(' ')
  end

  def pointer(data)
    order, preference, flags, service, expression, replacement, *rest = self.class.strings(data)
    unless rest.empty? && replacement && [order, preference].all? { |number| number.match?(%r{\A\d{1,5}\z}) }
      raise ArgumentError, "'#{data}' is no NAPTR record: order, preference, \"flags\", \"service\", \"expression\" and replacement are wanted"
    end

    replacement = (replacement == '.') ? '.' : self.class.canonical_name(replacement)
    [Integer(order, 10), Integer(preference, 10), *[flags, service, expression].map { |string| self.class.quoted(string) }, replacement].join(' ')
  end

  def text(data)
    strings = data.start_with?('"') ? self.class.strings(data) : [data]
    strings.map { |string| self.class.quoted(string) }.join(' ')
  end
end
