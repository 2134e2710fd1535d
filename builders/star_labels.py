"""Which of the twelve strategies each STAR agent action is: one table, read by `builders.star` and
printed on the card.

STAR names what the agent did in its task ("bank_ask_pin"), not how it supported the customer. Each
action here gets the strategy whose definition (Table 1 of arXiv 2508.04423, `csc_tasks.framework`)
fits the reply template of that action. As a rule the verb of the label
decides: ask/request puts a question, inform/provide gives information; where the template says
otherwise, the template wins.

The 158 actions of the published label list are all here, and so are actions of the task schemas
that the list leaves out:
`goodbye_2`, `ask_departure_location`, `apartment_ask_name`, `trip_instructions_done`,
`ride_provide_ride_details`,
`restaurant_inform_search_criteria` and each domain's `_bye` and `_inform_nothing_found`.
"""

# (strategy id, what the actions have in common, the actions)
MAPPING = (
    ("GT", "opens the conversation", "hello"),
    (
        "IV",
        "asks who the customer is, or for the secret, account, booking or room that shows it",
        """
        ask_name apartment_ask_name
        bank_ask_account_number bank_ask_pin bank_ask_dob bank_ask_mothers_maiden_name
        bank_ask_childhood_pets_name
        hotel_ask_room_number ride_ask_booking_number
        spaceship_ask_rank spaceship_ask_code spaceship_ask_code_type
    """,
    ),
    # "Great, the ... is happy to accommodate you. Can I confirm your reservation with them?": the
    # request is said back with what was found and the customer's yes is awaited. No new detail is
    # asked for (not PR) and nothing has been carried out yet (not RI). Three labels say "available"
    # instead of "ask_confirm", but their templates ask the same question.
    (
        "RP",
        "says the request back as it would be booked and asks for a yes",
        """
        hotel_ask_confirm_booking party_ask_confirm_booking restaurant_ask_confirm_booking
        ride_ask_confirm_booking
        apartment_inform_viewing_available doctor_inform_booking_available plane_flight_available
    """,
    ),
    # A name asked for here is that of a hotel, doctor, host or guest, never the customer's.
    (
        "PR",
        "asks for a detail of what the customer needs",
        """
        apartment_ask_apartment_name apartment_ask_application_fee_paid apartment_ask_balcony
        apartment_ask_custom_message apartment_ask_day
        apartment_ask_elevator apartment_ask_end_time apartment_ask_floor apartment_ask_nearby_pois
        apartment_ask_num_bedrooms
        apartment_ask_price apartment_ask_start_time
        bank_ask_fraud_details
        doctor_ask_day doctor_ask_doctor_name doctor_ask_end_time doctor_ask_start_time
        doctor_ask_symptoms
        hotel_ask_customer_request hotel_ask_date_from hotel_ask_date_to hotel_ask_hotel
        hotel_ask_location hotel_ask_name hotel_ask_price
        hotel_ask_rating hotel_ask_service_request hotel_ask_time
        meeting_ask_day meeting_ask_end_time meeting_ask_guest_name meeting_ask_reason
        meeting_ask_start_time
        party_ask_arrival_time party_ask_day party_ask_dietary_restrictions party_ask_drinks
        party_ask_end_time party_ask_food
        party_ask_host party_ask_number_of_guests party_ask_parking_needed party_ask_starting_time
        party_ask_venue
        party_inform_food_drink_criteria
        plane_ask_arrival_city plane_ask_date plane_ask_departure_city plane_ask_flight_id
        plane_request_optional
        restaurant_ask_delivery restaurant_ask_food_type restaurant_ask_location
        restaurant_ask_rating restaurant_ask_restaurant
        restaurant_ask_size restaurant_ask_takes_reservations restaurant_ask_time
        ride_ask_change ride_ask_departure ride_ask_destination
        spaceship_ask_colour_second_cable spaceship_ask_colour_top_cable
        spaceship_ask_lock_manufacturer
        ask_departure_location trip_ask_arrival_location trip_ask_departure_location
        trip_ask_departure_time trip_ask_travel_mode
        trivia_ask_question_number
        weather_ask_day weather_ask_location
    """,
    ),
    # What a look-up or check gave, also when it gave nothing: nothing had been agreed on that could
    # be carried out.
    (
        "ID",
        "gives the result of a look-up or check, a step of the way, or what can be asked for",
        """
        apartment_inform_nothing_found apartment_inform_search_criteria
        apartment_inform_search_result apartment_inform_viewing_unavailable
        bank_inform_balance bank_inform_cannot_authenticate bank_inform_nothing_found
        doctor_inform_booking_unavailable doctor_inform_doctors_instructions
        doctor_inform_nothing_found
        hotel_inform_location hotel_inform_name hotel_inform_nothing_found hotel_inform_price
        hotel_inform_rating
        hotel_inform_search_criteria hotel_provide_search_result hotel_unavailable
        meeting_inform_nothing_found meeting_inform_unavailable_ask_different_time
        party_inform_nothing_found party_no_venue_available party_venue_not_available
        plane_flight_unavailable plane_inform_flight_details plane_inform_nothing_found
        restaurant_inform_nothing_found restaurant_inform_search_criteria
        restaurant_inform_search_results restaurant_inform_unavailable
        ride_inform_nothing_found ride_inform_search_criteria ride_provide_booking_status
        ride_provide_booking_status_update
        ride_provide_driver_details ride_provide_ride_details
        spaceship_inform_nothing_found
        trip_inform_detailed_step trip_inform_last_step_and_done trip_inform_nothing_found
        trip_inform_simple_step_ask_proceed
        trip_instructions_done
        trivia_inform_answer_2_ask_next trivia_inform_answer_correct_ask_next
        trivia_inform_answer_incorrect_ask_next
        trivia_inform_nothing_found
        weather_inform_forecast weather_inform_nothing_found
    """,
    ),
    # The agreed booking, change or report was carried out and this says how that went; a failure is
    # a report of progress too.
    (
        "RI",
        "reports that the agreed booking, change or report was made, or that making it failed",
        """
        apartment_inform_booking_successful
        bank_inform_fraud_report_submitted
        doctor_inform_booking_successful
        hotel_inform_service_request_failed hotel_inform_service_request_successful
        hotel_reservation_failed hotel_reservation_succeeded
        meeting_inform_confirmed
        party_booking_failed party_booking_successful party_confirm_rsvp
        plane_reservation_failed plane_reservation_succeeded
        restaurant_inform_booking_failed restaurant_inform_booking_successful
        ride_confirm_booking ride_inform_changes_failed ride_inform_changes_successful
        spaceship_inform_outcome
    """,
    ),
    # "Is there anything else that I can do for you?" comes once a matter is handled and asks
    # whether the customer's needs are met: FR. RC would point to a later service or update; these
    # look no further than the present conversation.
    (
        "FR",
        "asks, once a matter is handled, whether anything is still open",
        """
        anything_else
        apartment_ask_search_more hotel_ask_search_more plane_ask_more_questions
        restaurant_ask_continue_searching
    """,
    ),
    (
        "AC",
        "thanks and says goodbye",
        """
        goodbye_1 goodbye_2
        apartment_bye bank_bye doctor_bye hotel_bye meeting_bye party_bye plane_bye restaurant_bye
        ride_bye spaceship_bye trip_bye
        trivia_bye weather_bye
    """,
    ),
    # A quiz question is the content of a game: it neither asks about the customer's need nor
    # handles it.
    (
        "Others",
        "turns down what is out of scope, or puts a quiz question",
        "out_of_scope trivia_ask_question",
    ),
)

STRATEGY_OF = {label: strategy for strategy, _, labels in MAPPING for label in labels.split()}

UNLABELLED = frozenset({"custom"})
"""Labels that say nothing about the act: the agent typed a reply of their own."""
