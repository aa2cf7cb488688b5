# @summary A member of a pool in the inventory: `address`, `port`, `uri`, `state`, `weight`, `capacity_calls`
type Kamscale::Inventory_member = Hash[String[1], Optional[Scalar]]
