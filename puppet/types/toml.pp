# @summary What can be written into a TOML file
type Kamscale::Toml = Variant[Boolean, Integer, Float, String, Array[Kamscale::Toml], Hash[String[1], Kamscale::Toml]]
