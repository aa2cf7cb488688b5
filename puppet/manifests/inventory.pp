# @summary The members of all pools, as the agents publish them: what hosts converge to
#
# It makes nothing by itself: `kamscale::inventory::dns`, `kamscale::inventory::database` and `kamscale::inventory::pools` read
# it. A host has it as a level of its Hiera, the file that its agent or `kamscale inventory follow` keeps:
#
# ```yaml
# hierarchy:
#   - name: Members of all pools
#     datadir: /var/lib/kamscale
#     path: inventory.json
#     data_hash: json_data
# ```
#
# Without the file nothing is known, and so nothing is removed; what a pool has that the file does not name stays, too. A pool that
# the file names and that has no members has none.
#
# @param pools
#   The members of each pool. Default: the key `kamscale::inventory`, as the file has it.
class kamscale::inventory (
  Optional[Kamscale::Inventory] $pools = lookup('kamscale::inventory', { 'default_value' => undef }),
) {
}
