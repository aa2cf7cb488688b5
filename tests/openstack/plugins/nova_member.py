"""A SIP member that is also a server of Nova's, for what only Nova can say, as its quota: `Kamscale::Test::NovaMember`.

Nova's driver is the fake one: no call reaches its servers. So the endpoint that takes the calls is that of sip_member.py, started when
Nova says ACTIVE and ended with the server. What Nova refuses is refused before anything is booked.
"""
from heat.common import exception
from heat.engine.plugins import sip_member


class NovaMember(sip_member.SipMember):
    """See above."""

    SERVER = 'server_id'

    def _server(self):
        """Nova's server; None when there is none, or no more."""
        server_id = self.data().get(self.SERVER)
        with self.client_plugin('nova').ignore_not_found:
            return self.client('nova').servers.get(server_id) if server_id else None
        return None

    def handle_create(self):
        """Nova comes first, with what the template says of the machine; a network is none of its business here."""
        image = self.client_plugin('glance').find_image_by_name_or_id(self.properties['image'])
        flavor = self.client_plugin('nova').find_flavor_by_name_or_id(self.properties['flavor'])
        server = self.client('nova').servers.create(
            name=self.physical_resource_name(), image=image, flavor=flavor, nics='none')
        self.data_set(self.SERVER, server.id)
        return super().handle_create()

    def check_create_complete(self, plan):
        """True when Nova's server is there and the endpoint runs."""
        server = self._server()
        if server is None or server.status == 'ERROR':
            fault = getattr(server, 'fault', None) or {}
            raise exception.ResourceInError(resource_status='ERROR', status_reason=fault.get('message', 'the server is gone'))
        return server.status == 'ACTIVE' and super().check_create_complete(plan)

    def handle_delete(self):
        """Both go."""
        server = self._server()
        if server is not None:
            with self.client_plugin('nova').ignore_not_found:
                server.delete()
        return super().handle_delete()

    def check_delete_complete(self, ending):
        """True when both are gone."""
        return self._server() is None and super().check_delete_complete(ending)


def resource_mapping():
    """The one type."""
    return {'Kamscale::Test::NovaMember': NovaMember}
