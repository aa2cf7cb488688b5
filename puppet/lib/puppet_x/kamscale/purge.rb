# frozen_string_literal: true

module PuppetX; end
module PuppetX::Kamscale; end

# What the parameter `purge` of a zone, a database or a pool says: all, nothing, or what was added for some groups.
# It owns the reading of that value only; what belongs to whom is each provider's knowledge.
module PuppetX::Kamscale::Purge
  # true (all), nil (nothing), or a list of groups.
  def self.groups(value)
    case value
    when true, :true, 'true' then true
    when false, :false, 'false' then nil
    when Array then (value == [true] || value == [false]) ? groups(value.first) : value.map(&:to_s)
    else [value.to_s]
    end
  end

  # Whether what was added for `group` may be purged.
  def self.covers?(groups, group)
    groups == true || (groups.is_a?(Array) && groups.include?(group))
  end
end
