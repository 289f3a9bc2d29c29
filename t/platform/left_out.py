"""Operations that a daemon's code has and that conf/platform/overlays leaves out on purpose: docs/corrections.md.

Their methods are inherited, or only answer 405; nobody documents them; each takes any token, or none.
"""
CONFD = """
POST /1.1/contexts/{context_id}/ranges/conference
POST /1.1/contexts/{context_id}/ranges/group
POST /1.1/contexts/{context_id}/ranges/incall
POST /1.1/contexts/{context_id}/ranges/queue
POST /1.1/contexts/{context_id}/ranges/user
POST /1.1/devices/unallocated
POST /1.1/extensions/features
DELETE /1.1/extensions/features/{uuid}
POST /1.1/external/apps
DELETE /1.1/guests/me/meetings/{uuid}
PUT /1.1/guests/me/meetings/{uuid}
GET /1.1/guests/{guest_uuid}/meetings/{meeting_uuid}/authorizations
DELETE /1.1/guests/{guest_uuid}/meetings/{meeting_uuid}/authorizations/{authorization_uuid}
PUT /1.1/guests/{guest_uuid}/meetings/{meeting_uuid}/authorizations/{authorization_uuid}
GET /1.1/lines/{line_id}/extensions
POST /1.1/sounds/languages
PUT /1.1/sounds/{category}
POST /1.1/tenants
DELETE /1.1/tenants/{uuid}
PUT /1.1/tenants/{uuid}
POST /1.1/users/blocklist/numbers
DELETE /1.1/users/blocklist/numbers/{uuid}
PUT /1.1/users/blocklist/numbers/{uuid}
POST /1.1/users/{user_uuid}/blocklist/numbers
POST /1.1/users/{user_id}/callerids/outgoing
POST /1.1/users/{user_uuid}/external/apps
"""
LEFT_OUT = {'confd': CONFD.split('\n')[1:-1]}

# What the gate asks for less than the daemon does: the access names the tenant of the request, which no path tells.
LOOSER = {'provd': ('/configure/',)}
