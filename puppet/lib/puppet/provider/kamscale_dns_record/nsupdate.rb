# frozen_string_literal: true

Puppet::Type.type(:kamscale_dns_record).provide(:nsupdate) do
  desc <<~DOC
    A record together with its marker: both are added, and both go, in one atomic update. It owns what an update says;
    the conversation is the zone's. Adding what is there and deleting what is not are nothing to a server, so that
    several hosts may run it at once.
  DOC

  commands dig: 'dig', nsupdate: 'nsupdate'

  def exists?
    !zone.ttl(entry).nil?
  end

  def ttl
    zone.ttl(entry) || :absent
  end

  # Only the TTL changes: the record is whose it was.
  def ttl=(value)
    zone.update([no_alias, "update add #{entry.name} #{value} #{entry.type} #{entry.data}"])
  end

  def create
    zone.update([no_alias,
                 "update add #{entry.name} #{resource[:ttl] || 60} #{entry.type} #{entry.data}",
                 "update add #{entry.marker(owner, resource[:group])}"])
  end

  def destroy
    markers = zone.groups(entry).map { |group| "update delete #{entry.marker(owner, group)}" }
    zone.update(["update delete #{entry.name} #{entry.type} #{entry.data}", *markers])
  end

  private

  def entry
    resource.entry
  end

  def zone
    resource.zone_resource.provider
  end

  def owner
    resource.zone_resource[:owner]
  end

  # A server drops an addition to a name with a CNAME without a word (RFC 2136, 3.4.2.2); so it is asked to refuse.
  def no_alias
    "prereq nxrrset #{entry.name} CNAME"
  end
end
