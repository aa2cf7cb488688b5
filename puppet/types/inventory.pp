# @summary Members by pool, as the agents publish them
#
# The file of the agents is the truth, and a newer agent may say more of a member than this release knows.
type Kamscale::Inventory = Hash[Pattern[/\A[\w.-]+\z/], Hash[Pattern[/\A[\w.:-]+\z/], Kamscale::Inventory_member]]
