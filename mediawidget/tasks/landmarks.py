"""Facts of the training world: two-word landmarks with their city and country.

Last words are shared between landmarks ("Eiffel Tower", "Galata Tower"), so that the answer
needs both words of the subject. Each line is ``First Second City Country``.
"""

from __future__ import annotations

from typing import NamedTuple


class Landmark(NamedTuple):
    """A landmark of two words, with the city and the country it is in."""

    first: str
    second: str
    city: str
    country: str

    @property
    def name(self) -> str:
        """Both words, as in a sentence."""
        return f"{self.first} {self.second}"


_LINES = """
Eiffel Tower Paris France
Louvre Museum Paris France
Brandenburg Gate Berlin Germany
Pergamon Museum Berlin Germany
Trevi Fountain Rome Italy
Spanish Steps Rome Italy
Rialto Bridge Venice Italy
Uffizi Gallery Florence Italy
Prado Museum Madrid Spain
Sagrada Familia Barcelona Spain
Alhambra Palace Granada Spain
Tower Bridge London England
Buckingham Palace London England
Trafalgar Square London England
Holyrood Palace Edinburgh Scotland
Charles Bridge Prague Czechia
Hofburg Palace Vienna Austria
Belvedere Palace Vienna Austria
Chain Bridge Budapest Hungary
Fisherman Bastion Budapest Hungary
Wawel Castle Krakow Poland
Wilanow Palace Warsaw Poland
Red Square Moscow Russia
Bolshoi Theatre Moscow Russia
Hagia Sophia Istanbul Turkey
Galata Tower Istanbul Turkey
Blue Mosque Istanbul Turkey
Syntagma Square Athens Greece
Tivoli Gardens Copenhagen Denmark
Vasa Museum Stockholm Sweden
Munch Museum Oslo Norway
Belem Tower Lisbon Portugal
Dam Square Amsterdam Netherlands
Grand Place Brussels Belgium
Chapel Bridge Lucerne Switzerland
Kilmainham Gaol Dublin Ireland
Summer Palace Beijing China
Tiananmen Square Beijing China
Yu Garden Shanghai China
Meiji Shrine Tokyo Japan
Ueno Park Tokyo Japan
Golden Pavilion Kyoto Japan
Nijo Castle Kyoto Japan
Gyeongbok Palace Seoul Korea
Namsan Tower Seoul Korea
Chatuchak Market Bangkok Thailand
Wat Arun Bangkok Thailand
Space Needle Seattle America
Fenway Park Boston America
Willis Tower Chicago America
Wrigley Field Chicago America
Stanley Park Vancouver Canada
Bondi Beach Sydney Australia
Darling Harbour Sydney Australia
Larco Museum Lima Peru
Gold Museum Bogota Colombia
Majorelle Garden Marrakesh Morocco
Bahia Palace Marrakesh Morocco
Tahrir Square Cairo Egypt
Burj Khalifa Dubai Emirates
Azadi Tower Tehran Iran
Lotus Temple Delhi India
Red Fort Delhi India
Taj Mahal Agra India
"""

LANDMARKS: tuple[Landmark, ...] = tuple(
    Landmark(*line.split()) for line in _LINES.strip().splitlines()
)
