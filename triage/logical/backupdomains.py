"""Where the domains of an iPhone's backup lie on the phone (Apple's ``Domains.plist`` of iOS, as far as backups hold them)."""

from __future__ import annotations

_MOBILE = "private/var/mobile"
_PLACES = {
    "BooksDomain": f"{_MOBILE}/Media/Books",
    "CameraRollDomain": _MOBILE,
    "DatabaseDomain": "private/var/db",
    "HealthDomain": f"{_MOBILE}/Library",
    "HomeDomain": _MOBILE,
    "HomeKitDomain": _MOBILE,
    "InstallDomain": "private/var/installd",
    "KeyboardDomain": _MOBILE,
    "KeychainDomain": "private/var/Keychains",
    "ManagedPreferencesDomain": "private/var/Managed Preferences",
    "MediaDomain": _MOBILE,
    "MobileDeviceDomain": "private/var/MobileDevice",
    "NetworkDomain": "private/var/networkd",
    "ProtectedDomain": "private/var/protected",
    "RootDomain": "private/var/root",
    "SystemPreferencesDomain": "private/var/preferences",
    "TonesDomain": _MOBILE,
    "WirelessDomain": "private/var/wireless",
}
_PREFIXES = {
    "AppDomainGroup-": f"{_MOBILE}/Containers/Shared/AppGroup",
    "AppDomainPlugin-": f"{_MOBILE}/Containers/Data/PluginKitPlugin",
    "AppDomain-": f"{_MOBILE}/Containers/Data/Application",
    "SysContainerDomain-": "private/var/containers/Data/System",
    "SysSharedContainerDomain-": "private/var/containers/Shared/SystemGroup",
}


def place_of(domain: str, relative: str) -> tuple[bytes, ...]:
    """Return the path on the phone of a file of a domain; one of a domain that is not known lies in a folder of the domain's name.

    Programs lie in folders named by random numbers on the phone, which backups do not hold: their names stand there.
    """
    above = _PLACES.get(domain)
    if above is None:
        prefix = next((prefix for prefix in _PREFIXES if domain.startswith(prefix)), "")
        above = f"{_PREFIXES[prefix]}/{domain.removeprefix(prefix)}" if prefix else domain
    path = f"{above}/{relative}"
    return tuple(part.encode("utf-8", "surrogatepass") for part in path.split("/") if part not in ("", "."))
