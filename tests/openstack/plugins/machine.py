"""Heat resources that are a machine of the world (tests/world): `Kamscale::Test::Machine` boots a host with an init of its own
from a server's user data, `Kamscale::Test::Port` says at which address. Templates keep OS::Nova::Server and OS::Neutron::Port;
tests/world/env.yaml maps them.

What it knows about a machine stands in WORLD/machines/ID.json, what happened in WORLD/machines/journal.jsonl. It starts and ends hosts
by tests/world/host.sh only and never waits for it: the engine asks again. It knows nothing of roles.

tests/world/machines.json says which addresses a pool has and what a flavor means. WORLD/faults.json, read at every create, has
patterns of stack names (those of a nested stack begin with its parent's) for those that are to misbehave:
    {"ccp*": {"boot_s": 20, "fail": 0.5, "hang": true}}     late; refused by the cloud; booted, and never ready
"""
import contextlib
import fcntl
import fnmatch
import ipaddress
import json
import os
import pathlib
import random
import re
import subprocess
import time
import uuid

from heat.common import exception
from heat.engine import attributes, properties, resource
from heat.engine.plugins.sip_member import read, write

PROGRAMS = pathlib.Path(__file__).resolve().parents[2] / 'world'
WORLD = pathlib.Path(os.environ.get('KAMSCALE_WORLD_DIR', '/nonexistent'))
MACHINES = WORLD / 'machines'
PORTS = WORLD / 'ports'
HARMLESS = {'boot_s': 0, 'fail': 0, 'hang': False}


@contextlib.contextmanager
def alone():
    """One at a time chooses an address or writes the journal. Nothing in here waits, so no green thread is held up."""
    for folder in (MACHINES, PORTS):
        folder.mkdir(parents=True, exist_ok=True)
    with open(MACHINES / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def journal(event, record):
    """One line of what happened."""
    with open(MACHINES / 'journal.jsonl', 'a') as file:
        file.write(json.dumps({'at': time.time(), 'event': event, **record}) + '\n')


def range_of(pool):
    """The first and the last address of a pool."""
    ranges = read(PROGRAMS / 'machines.json')['pools']
    if pool not in ranges:
        raise exception.Error(f'Machine: tests/world/machines.json has no addresses for the pool {pool!r}')
    return [ipaddress.IPv4Address(word) for word in ranges[pool].split('-')]


def free_address(pool):
    """The first address of the pool's range that no machine and no port has."""
    first, last = range_of(pool)
    taken = {(read(path) or {}).get('address') for folder in (MACHINES, PORTS) for path in folder.glob('*.json')}
    for number in range(int(first), int(last) + 1):
        if str(ipaddress.IPv4Address(number)) not in taken:
            return str(ipaddress.IPv4Address(number))
    raise exception.Error(f'Machine: no address is free in {first}-{last} of the pool {pool}')


def host_name(name, pool, address):
    """The name that was asked for; else the pool's with its number there: what Heat makes up is too long for a cable."""
    if name:
        return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')
    return f'{pool}-{int(ipaddress.IPv4Address(address)) - int(range_of(pool)[0])}'


def faults_of(stack_name):
    """What is to go wrong with machines of that stack."""
    chosen = dict(HARMLESS)
    for pattern, settings in (read(WORLD / 'faults.json') or {}).items():
        if fnmatch.fnmatchcase(stack_name, pattern):
            chosen.update(settings)
    return chosen


def run(record, *words):
    """host.sh in the background, its words in the machine's log."""
    with open(MACHINES / f'{record["id"]}.log', 'a') as log:
        return subprocess.Popen([str(PROGRAMS / 'host.sh'), *words], stdin=subprocess.DEVNULL, stdout=log,
                                stderr=subprocess.STDOUT, start_new_session=True, cwd='/')


def finished(process, record, what):
    """Whether it is over; an error, with its last words, if it failed."""
    code = process.poll()
    if code:
        words = (MACHINES / f'{record["id"]}.log').read_text()[-500:]
        raise exception.Error(f'Machine: host {record["host"]} could not be {what}: {words}')
    return code == 0


class Port(resource.Resource):
    """A port on the world's one network: the address that its server will have, if somebody says so."""

    properties_schema = {
        'network': properties.Schema(properties.Schema.STRING, 'There is only one.', update_allowed=True),
        'fixed_ips': properties.Schema(properties.Schema.LIST, 'The first is the address.', update_allowed=True),
        'security_groups': properties.Schema(properties.Schema.LIST, 'Without a meaning here.', update_allowed=True),
    }
    attributes_schema = {'fixed_ips': attributes.Schema('Its addresses.', type=attributes.Schema.LIST)}

    def handle_create(self):
        """A record."""
        fixed = (self.properties['fixed_ips'] or [{}])[0]
        self.resource_id_set(str(uuid.uuid4()))
        with alone():
            write(PORTS / f'{self.resource_id}.json', {'address': fixed.get('ip_address')})

    def handle_delete(self):
        """One that vanished is no error."""
        if self.resource_id:
            (PORTS / f'{self.resource_id}.json').unlink(missing_ok=True)

    def handle_update(self, json_snippet, tmpl_diff, prop_diff):
        """What may change means nothing here."""

    def _resolve_attribute(self, name):
        address = (read(PORTS / f'{self.resource_id}.json') or {}).get('address')
        return [{'ip_address': address}] if address else []


class Machine(resource.Resource):
    """See above."""

    OF_SERVERS = {
        'image': properties.Schema.STRING, 'flavor': properties.Schema.STRING, 'key_name': properties.Schema.STRING,
        'availability_zone': properties.Schema.STRING, 'networks': properties.Schema.LIST,
        'security_groups': properties.Schema.LIST, 'block_device_mapping_v2': properties.Schema.LIST,
        'metadata': properties.Schema.MAP, 'scheduler_hints': properties.Schema.MAP, 'tags': properties.Schema.LIST,
        'user_data': properties.Schema.STRING, 'user_data_format': properties.Schema.STRING,
        'user_data_update_policy': properties.Schema.STRING, 'config_drive': properties.Schema.BOOLEAN,
        'software_config_transport': properties.Schema.STRING, 'name': properties.Schema.STRING,
    }
    properties_schema = {name: properties.Schema(kind, 'As of a server.', update_allowed=True) for name, kind in OF_SERVERS.items()}
    attributes_schema = {
        name: attributes.Schema(text, type=kind, cache_mode=attributes.Schema.CACHE_NONE)
        for name, text, kind in (
            ('first_address', 'Its address.', attributes.Schema.STRING),
            ('accessIPv4', 'Its address.', attributes.Schema.STRING),
            ('networks', 'Its address, by the name of a network.', attributes.Schema.MAP),
            ('name', 'Its name.', attributes.Schema.STRING),
            ('host', 'Its name in tests/world/host.sh.', attributes.Schema.STRING))
    }

    def _path(self):
        return MACHINES / f'{self.resource_id}.json'

    def _fixed_address(self):
        for network in self.properties['networks'] or []:
            if network.get('fixed_ip'):
                return network['fixed_ip']
            address = (read(PORTS / f'{network.get("port")}.json') or {}).get('address')
            if address:
                return address
        return None

    def _seed(self, record, hang):
        """What a cloud tells a machine at its first boot, as cloud-init's NoCloud wants it."""
        folder = MACHINES / f'{record["id"]}.seed'
        folder.mkdir()
        (folder / 'meta-data').write_text(json.dumps(
            {'instance-id': record['id'], 'local-hostname': record['host'], 'meta': self.properties['metadata'] or {}}))
        user_data = self.properties['user_data'] or '#cloud-config\n{}\n'
        (folder / 'user-data').write_text('#!/bin/sh\nexec sleep infinity\n' if hang else user_data)
        return str(folder)

    def handle_create(self):
        """The id is stored before anything is started: what the engine forgot, nobody could delete."""
        self.resource_id_set(str(uuid.uuid4()))
        metadata = self.properties['metadata'] or {}
        record = {'id': self.resource_id, 'name': self.properties['name'] or self.physical_resource_name(), 'stack': self.stack.name,
                  'stack_id': self.stack.id, 'pool': metadata.get('kamscale_pool'), 'flavor': self.properties['flavor'], 'created_at': time.time()}
        faults = faults_of(self.stack.name)
        with alone():
            record['address'] = self._fixed_address() or free_address(record['pool'])
            record['host'] = host_name(self.properties['name'], record['pool'], record['address'])
            write(self._path(), record)
            journal('create', record)
        return {'record': record, 'faults': faults, 'boot_at': time.time() + faults['boot_s'], 'process': None}

    def check_create_complete(self, plan):
        """True when its init runs; what becomes of it then, the wait condition of the template says."""
        record, faults = plan['record'], plan['faults']
        if plan['process'] is None:
            if time.time() < plan['boot_at']:
                return False
            if random.random() < float(faults['fail']):
                with alone():
                    journal('fail', record)
                raise exception.ResourceInError(resource_status='ERROR', status_reason='told to fail')
            flavor = read(PROGRAMS / 'machines.json')['flavors'].get(record['flavor'], {})
            words = [word for option, value in flavor.items() for word in (f'--{option}', str(value))]
            plan['process'] = run(record, 'up', record['host'], record['address'], *words,
                                  '--seed', self._seed(record, faults['hang']))
            return False
        if not finished(plan['process'], record, 'booted'):
            return False
        with alone():
            journal('boot', record)
        return True

    def handle_delete(self):
        """An orderly shutdown. A host that is not there any more is no error."""
        record = read(self._path()) if self.resource_id else None
        if record is None:
            return None
        with alone():
            journal('halt', record)
        return {'record': record, 'process': run(record, 'down', record['host'])}

    def check_delete_complete(self, ending):
        """True when nothing of the host is left, and its record with it."""
        if ending is None:
            return True
        record = ending['record']
        if not finished(ending['process'], record, 'shut down'):
            return False
        with alone():
            for left in MACHINES.glob(f'{record["id"]}.seed/*'):
                left.unlink()
            for folder in MACHINES.glob(f'{record["id"]}.seed'):
                folder.rmdir()
            self._path().unlink(missing_ok=True)
            journal('delete', record)
        return True

    def handle_update(self, json_snippet, tmpl_diff, prop_diff):
        """What may change means nothing here."""

    def _resolve_attribute(self, name):
        record = read(self._path()) if self.resource_id else None
        if record is None:
            return None
        if name == 'networks':
            return {'world': [record['address']]}
        return record['address'] if name in ('first_address', 'accessIPv4') else record[name]


def resource_mapping():
    """Both types."""
    return {'Kamscale::Test::Machine': Machine, 'Kamscale::Test::Port': Port}
