# frozen_string_literal: true

require 'open3'
require 'tempfile'
require_relative '../../../puppet_x/kamscale/dns_entry'
require_relative '../../../puppet_x/kamscale/purge'

Puppet::Type.type(:kamscale_dns_zone).provide(:nsupdate) do
  desc <<~DOC
    Reads the zone by one transfer (dig) per run and changes it by RFC 2136 (nsupdate), both signed with the key.
    It owns the conversation with the server, and its errors; it decides nothing about records.
  DOC

  commands dig: 'dig', nsupdate: 'nsupdate'

  # The zone as it was at the first question of this run: TTLs by record, and who owns what.
  # A failure is remembered, too: the same server is not asked again for every record.
  def contents
    @contents ||= begin
      read(transfer)
    rescue Puppet::Error => e
      e
    end
    raise @contents if @contents.is_a?(Puppet::Error)

    @contents
  end

  # The TTL of a record, nil if it is not there.
  def ttl(entry)
    contents[:ttls][entry.key]
  end

  # The groups for which our owner added the record: none if it is not ours.
  def groups(entry)
    marks.select { |_group, marked| marked.key == entry.key }.map(&:first)
  end

  # What our owner added for these groups.
  def owned(groups)
    marks.select { |group, _entry| PuppetX::Kamscale::Purge.covers?(groups, group) }.map(&:last).uniq(&:key)
  end

  # One atomic update; `lines` as nsupdate reads them.
  def update(lines)
    input = ["server #{resource[:server]} #{resource[:port]}", "zone #{resource[:name]}.", *lines, 'send', ''].join("\n")
    _output, errors, status = with_key do |file|
      run(command(:nsupdate), '-t', resource[:timeout].to_s, '-k', file, input)
    end
    raise failure('update', errors) unless status.success?
  end

  private

  def marks
    contents[:marks].select { |owner, _group, _entry| owner == resource[:owner] }.map { |_owner, group, entry| [group, entry] }
  end

  def read(lines)
    marks, records = lines.partition { |line| PuppetX::Kamscale::DnsEntry.from_marker(line) }
    { ttls: records.map { |line| PuppetX::Kamscale::DnsEntry.from_dig(line) }.compact.map { |entry, ttl| [entry.key, ttl] }.to_h,
      marks: marks.map { |line| PuppetX::Kamscale::DnsEntry.from_marker(line) } }
  end

  def transfer
    output, errors, status = ask('+noall', '+answer', '+onesoa', resource[:name], 'AXFR')
    lines = output.lines.map(&:chomp).reject { |line| line.empty? || line.start_with?(';') }
    # dig ends well also when the transfer was refused; a zone has at least its SOA.
    return lines if status.success? && lines.any? { |line| line.split(%r{\s+})[3] == 'SOA' } && !output.include?('; Transfer failed')

    # A refused transfer does not say why; a question for the SOA does, unless only the transfer is refused.
    answer, = ask('+norecurse', resource[:name], 'SOA') if status.success?
    raise failure('transfer', [output, errors, answer].join("\n"))
  end

  def ask(*question)
    with_key do |file|
      run(command(:dig), "@#{resource[:server]}", '-p', resource[:port].to_s, '-k', file, "+time=#{resource[:timeout]}", '+tries=1', *question, '')
    end
  end

  def run(*command, input)
    Open3.capture3({ 'LC_ALL' => 'C' }, *command, stdin_data: input)
  end

  # The name of a file with the key. A secret is never an argument, which everybody on the host could read.
  def with_key
    return yield(resource[:key_file]) if resource[:key_file]

    Tempfile.create('kamscale-key') do |file| # mode 0600
      file.write("key \"#{resource[:key_name]}\" { algorithm #{resource[:key_algorithm]}; secret \"#{resource[:key_secret]}\"; };\n")
      file.flush
      yield file.path
    end
  end

  # What a refusal means, and what helps. (A constant in a provider's block would be everybody's.)
  def remedies
    {
      'BADKEY'   => 'the server does not know this TSIG key: compare name and algorithm with its configuration',
      'BADSIG'   => 'the secret of the TSIG key is not that of the server',
      'BADTIME'  => 'the clocks of this host and of the server differ by more than 5 minutes',
      'NOTAUTH'  => 'the server is not the primary of this zone: name the primary as server',
      'NOTZONE'  => 'the record is not in this zone',
      'REFUSED'  => 'the server does not have this zone, or does not allow this key to do so (allow-transfer, update-policy)',
      'SERVFAIL' => 'the server has the zone but cannot use it: see its log (zone not loaded, journal not writable)',
      'YXRRSET'  => 'a CNAME record has this name; a name with a CNAME can have nothing else',
    }
  end

  def failure(action, text)
    where = "zone #{resource[:name]} on #{resource[:server]} port #{resource[:port]}"
    code = remedies.keys.find { |word| text.match?(%r{\b#{word}\b}) }
    # NOTAUTH comes with the reason of a bad key, which stands before it in the list. A transfer alone is refused in silence.
    code ||= 'REFUSED' if action == 'transfer' && text.match?(%r{status: NOERROR})
    return Puppet::Error.new("#{action} of #{where}: #{code}: #{remedies[code]}") if code

    if text.match?(%r{connection refused|timed out|no servers could be reached|unreachable}i)
      return Puppet::Error.new("#{action} of #{where}: the server does not answer: is it running, and does a firewall let UDP and TCP through?")
    end

    Puppet::Error.new("#{action} of #{where}: #{text.lines.map(&:strip).reject(&:empty?).first(3).join('; ')}")
  end
end
