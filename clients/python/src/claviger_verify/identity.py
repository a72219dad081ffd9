"""Who a request comes from: what is told of every request that is let through."""

from typing import Any

from .token.found import Found
from .token.object import covers, is_object_name


class Identity:
    """The caller."""

    __slots__ = ("_found",)

    def __init__(self, found: Found) -> None:
        self._found = found

    @property
    def credential(self) -> str:
        """The id of the credential; of an access token, of that which it was made from."""
        return self._found.credential

    @property
    def kind(self) -> str:
        """Which kind was presented: `api_key`, `personal_access_token` or `access_token`."""
        return self._found.kind

    @property
    def principal(self) -> str:
        """The id of whom it stands for."""
        return self._found.principal.id

    @property
    def organization(self) -> str:
        """The id of the organization that it acts in."""
        return self._found.organization.id

    @property
    def is_test(self) -> bool:
        """Whether it acts on test data."""
        return self._found.environment == "test"

    @property
    def permissions(self) -> frozenset[str]:
        """What it may do."""
        return self._found.permissions

    @property
    def metadata(self) -> Any:
        """The owner's JSON object; of a JWT it is empty."""
        return self._found.metadata

    def may(self, permission: str) -> bool:
        """Whether it may do this."""
        return permission in self._found.permissions

    def is_for(self, name: str) -> bool:
        """Whether it is for this object: to be asked where `whatever_object` was said."""
        found = self._found
        return is_object_name(name) and (found.objects is None or covers(found.objects, name))
