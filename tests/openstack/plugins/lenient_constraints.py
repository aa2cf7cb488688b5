"""Lets templates name flavors, images, networks and key pairs where no service is there to ask. It is for tests only.

Templates in heat/ check these names with Heat's custom constraints, and the testbed has no Neutron and seldom a Nova.
Where the service runs, its answer counts: a name that it does not know is refused as in production.
"""
import socket
from urllib.parse import urlsplit

from heat.engine.clients.os import glance, nova
from heat.engine.clients.os.neutron import neutron_constraints
from keystoneauth1 import exceptions

CONNECT_S = 1


def is_there(clients, service_type):
    """Whether that service listens. OpenStack's own clients ask again and again, for seconds, if it does not."""
    try:
        url = urlsplit(clients.client_plugin('keystone').url_for(service_type=service_type))
    except exceptions.EndpointNotFound:
        return False
    try:
        socket.create_connection((url.hostname, url.port), CONNECT_S).close()
    except OSError:
        return False
    return True


def lenient(constraint, service_type):
    """That constraint, satisfied by any name when nobody answers."""

    class Lenient(constraint):
        """See above."""

        def validate_with_client(self, client, value):
            """Raises what the constraint expects when the service does not know the name."""
            if is_there(client, service_type):
                super().validate_with_client(client, value)

    # Heat's cache tells constraints apart by the names of their classes.
    Lenient.__name__ = constraint.__name__
    return Lenient


def constraint_mapping():
    """Those that heat/ uses."""
    return {
        'nova.flavor': lenient(nova.FlavorConstraint, 'compute'),
        'nova.keypair': lenient(nova.KeypairConstraint, 'compute'),
        'glance.image': lenient(glance.ImageConstraint, 'image'),
        'neutron.network': lenient(neutron_constraints.NetworkConstraint, 'network'),
    }
