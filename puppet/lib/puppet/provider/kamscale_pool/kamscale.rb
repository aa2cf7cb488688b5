# frozen_string_literal: true

require 'json'
require 'open3'
require_relative '../../../puppet_x/kamscale/purge'

Puppet::Type.type(:kamscale_pool).provide(:kamscale) do
  desc <<~DOC
    Asks this host's agent by its command line, kamscale. It owns the conversation and its errors; it decides nothing
    about members.
  DOC

  commands kamscale: 'kamscale'

  # Members by name, as they were at the first question of this run. A failure is remembered, too.
  def contents
    @contents ||= begin
      members
    rescue Puppet::Error => e
      e
    end
    raise @contents if @contents.is_a?(Puppet::Error)

    @contents
  end

  # What is in the pool and does not leave.
  def member(name)
    member = contents[name]
    member unless member.nil? || gone?(member)
  end

  def leaving?(name)
    contents.key?(name) && contents[name]['leaving']
  end

  # Names of those that were added by command.
  def removable
    contents.select { |_name, member| member['origin'] == 'command' && !gone?(member) }.keys
  end

  # One command, as `member add POOL NAME URI`; nothing stands for its answer.
  def ask(*words)
    output, errors, status = Open3.capture3({ 'LC_ALL' => 'C' }, command(:kamscale), '--socket', resource[:socket], '--json', *words)
    raise Puppet::Error, "pool #{resource[:name]}: #{errors.strip.sub(%r{\Akamscale: }, '')}" unless status.success?

    JSON.parse(output)
  rescue JSON::ParserError => e
    raise Puppet::Error, "pool #{resource[:name]}: the answer of kamscale is no JSON (#{e.message}): are kamscale and the agent of one version?"
  end

  # Takes a member out with its calls, and comes back when the agent has done so.
  def replace(name)
    ask('member', 'remove', '--now', resource[:name], name)
    100.times do
      return unless members.key?(name)

      sleep 0.1
    end
    raise Puppet::Error, "pool #{resource[:name]}: the agent has not let go of #{name} within 10 s; see `kamscale pool show #{resource[:name]}`"
  end

  private

  def members
    ask('pool', 'show', resource[:name])['members']
  end

  def gone?(member)
    member['leaving'] || member['state'] == 'stopping'
  end
end
