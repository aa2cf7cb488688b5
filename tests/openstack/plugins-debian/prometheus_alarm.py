"""OS::Aodh::PrometheusAlarm, which Heat has since 22.0 and Debian's 19 has not: so heat/alarms-prometheus.yaml is made as shipped.

The properties are those of Heat's own (query, comparison_operator, threshold, and what all alarms have); how an alarm is made and
changed in Aodh is what this Heat does for Gnocchi's alarms. A Heat that has the type has no use for this file.
"""
from heat.engine import properties
from heat.engine.resources import alarm_base
from heat.engine.resources.openstack.aodh.gnocchi import alarm


class PrometheusAlarm(alarm.AodhGnocchiResourcesAlarm):
    """See above."""

    PROPERTIES = ('query', 'comparison_operator', 'threshold')
    properties_schema = {
        'query': properties.Schema(
            properties.Schema.STRING, 'What Prometheus is asked.', required=True, update_allowed=True),
        'comparison_operator': properties.Schema(
            properties.Schema.STRING, 'How an answer is compared.', constraints=[alarm_base.BaseAlarm.QF_OP_VALS],
            update_allowed=True),
        'threshold': properties.Schema(
            properties.Schema.NUMBER, 'With what it is compared.', required=True, update_allowed=True),
        **alarm_base.common_properties_schema,
    }
    alarm_type = 'prometheus'


def resource_mapping():
    """The one type."""
    return {'OS::Aodh::PrometheusAlarm': PrometheusAlarm}
